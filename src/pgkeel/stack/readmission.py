"""What must be true of a recovered server before anybody connects to it: it woke up in another time."""

from pgkeel.backup.recovery.journal import Journal
from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.local import Cluster
from pgkeel.postgres import Connection, connect, load
from pgkeel.security import audit
from pgkeel.stack.audit import sinks
from pgkeel.stack.erasure import erase_again
from pgkeel.stack.escrow import wrap_by_todays
from pgkeel.stack.fencing import open_again
from pgkeel.stack.layout import layout_of
from pgkeel.stack.memory import NotUp
from pgkeel.stack.postgres import ensure_database
from pgkeel.stack.restoring import Scene
from pgkeel.stack.valkey import cache_url

__all__ = ["begin_epoch", "forget_cache", "readmit"]


def readmit(scene: Scene, journal: Journal, server: Cluster, report: Report) -> None:
    """Make roles, passwords, keys and logins those of today, and let the cache forget the future that was lost.

    Args:
        scene: What the recovery works with.
        journal: The recovery.
        server: The recovered server, on its private socket.
        report: Hears each step.
    """
    project = scene.project
    report("applying today's roles and passwords")
    ensure_database(project, server, layout_of(project), report)
    with connect(server.superuser_url(project.config.database.name), application="pgkeel recover") as connection:
        open_again(connection, project.config.database.name, journal.connections)
        wrap_by_todays(scene, journal.plan, connection, report)
        has = load(__name__, "has_logins").row(connection) or {}
        for table, query in (("sessions", "end_all_sessions"), ("user_tokens", "end_all_tokens")):
            if has[table] and not journal.keep_sessions:
                report(f"ending {load(__name__, query).run(connection)} {table.replace('_', ' ')}")
        erase_again(project, report, connection)
        begin_epoch(project, connection, "recovered", report)
    forget_cache(project, report)


def begin_epoch(project: Project, connection: Connection, reason: str, report: Report) -> None:
    """Begin a life of the audit log that none of its other lives had."""
    if audit.is_installed(connection):
        report(f"opening epoch {audit.open_epoch(connection, reason, sinks(project))} of the audit log")


def forget_cache(project: Project, report: Report) -> None:
    """Let the cache forget everything; a project without one has nothing to forget.

    Raises:
        Unreachable: It does not answer, so nobody knows what it still holds.
    """
    try:
        from pgkeel.cache.keeper import flush  # noqa: PLC0415 - needs the extra [cache]
    except ImportError:
        return
    settings = project.config.cache
    try:
        report("forgetting what was cached")
        flush(cache_url(project), settings.namespace, round(settings.mark.total_seconds() * 1000))
    except (ConfigError, NotUp):  # there is none, or none yet: a new machine
        return
