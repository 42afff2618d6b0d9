"""The audit log: who changed what and when, in a log that cannot be rewritten quietly."""

from pgkeel.security.audit.anchors import FileSink, RepositorySink, anchor
from pgkeel.security.audit.install import AuditPlan, Watched, check_rights, follow, install, is_installed, plan
from pgkeel.security.audit.older import OlderLog
from pgkeel.security.audit.sealing import make_months, open_epoch, retire, seal, waiting
from pgkeel.security.audit.search import Entry, search
from pgkeel.security.audit.verify import Problem, Verdict, verify

__all__ = [
    "AuditPlan",
    "Entry",
    "FileSink",
    "OlderLog",
    "Problem",
    "RepositorySink",
    "Verdict",
    "Watched",
    "anchor",
    "check_rights",
    "follow",
    "install",
    "is_installed",
    "make_months",
    "open_epoch",
    "plan",
    "retire",
    "seal",
    "search",
    "verify",
    "waiting",
]
