"""The agent's service that keeps the audit log provable: it seals, anchors, makes months ahead and lets old ones go."""

from contextlib import closing
from datetime import timedelta

from pgkeel.agent.reach import Reach
from pgkeel.agent.services import Service
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.postgres import Connection, load
from pgkeel.security import audit
from pgkeel.stack.audit import sinks
from pgkeel.stack.connection import connect

__all__ = ["audit_service"]

_EVERY = timedelta(seconds=30)
_log = get_logger(__name__)


def audit_service(project: Project) -> Service:
    """Return the service; a database without a log, and a standby, are left alone."""

    def keep(reach: Reach) -> None:
        while True:
            with closing(connect(project, "superuser", application="pgkeel agent audit")) as connection:
                if audit.is_installed(connection):
                    _keep(project, connection)
            reach.wait(_EVERY)

    return Service("audit", keep)


def _keep(project: Project, connection: Connection) -> None:
    if load(__name__, "is_replica").scalar(connection):
        return
    audit.follow(connection)
    sealed = audit.seal(connection)
    if sealed:
        audit.anchor(connection, sinks(project))
    audit.make_months(connection)
    gone = audit.retire(connection, keep=project.config.security.audit_keep)
    if gone:
        _log.info("audit.retired", tables=list(gone))
