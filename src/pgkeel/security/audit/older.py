"""Say it when the log was made by an older version of pgkeel, which knew less of what is read from it."""

from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, load

__all__ = ["OlderLog", "refuse_older"]


class OlderLog(Refused):
    """An older version of pgkeel made this audit log."""

    code = "older_audit_log"


def refuse_older(connection: Connection) -> None:
    """Let nobody read a log that lacks what this version reads.

    Raises:
        OlderLog: It does.
    """
    if not load(__name__, "is_readable").scalar(connection):
        raise OlderLog(hint="`pgkeel security audit apply`, or `pgkeel up`, brings it up to date")
