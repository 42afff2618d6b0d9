"""What the agent does for backups without end: receive WAL, archive it, copy what lies in one repository to the others."""

from collections.abc import Callable
from datetime import timedelta

from pgkeel.agent.reach import Reach
from pgkeel.agent.services import Service
from pgkeel.backup.archiving import Archiver
from pgkeel.backup.copying import Copier, What
from pgkeel.backup.receiving import APPLICATION, Receiver, drop_lost_slot, ensure_slot
from pgkeel.backup.source import source_of
from pgkeel.backup.spool import Spool
from pgkeel.core import clock
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.stack.backups import address_of, backup_connection, spool_of, spools
from pgkeel.stack.synchrony import is_zero, make_commits_wait
from pgkeel.stack.vault import programs_of, recipients_of, repositories_of

__all__ = ["backup_services"]

log = get_logger(__name__)

_LOOK = timedelta(milliseconds=250)
_SHIP = timedelta(seconds=10)  # with the copier's round, what is written leaves the machine within 15 s
_COPY = timedelta(seconds=4)
_LATE = timedelta(seconds=45)  # WAL that was not shipped for so long is said, whether it fails or only takes its time


def backup_services(project: Project) -> tuple[Service, ...]:
    """Return the services; each is started again when it fails, and says why in `agent status`."""
    receiver = Service("wal_receiver", lambda reach: _receive(project, reach))
    archiver = Service("wal_archiver", lambda reach: _archive(project, reach), proves=True, within=_LATE)
    if len(repositories_of(project)) == 1:
        return (receiver, archiver)
    wal_copier = Service("wal_copier", lambda reach: _copy(project, "wal", reach), proves=True, within=_LATE)
    backup_copier = Service("backup_copier", lambda reach: _copy(project, "backups", reach), proves=True)
    return (receiver, archiver, wal_copier, backup_copier)


def _receive(project: Project, reach: Reach) -> None:
    slot = project.config.backup.slot
    with backup_connection(project) as connection:
        server = source_of(connection)
        spool = spool_of(project, server.system)
        spool.make(server.major)
        is_undone = spool.leave_undone(server.timeline)
        if drop_lost_slot(connection, slot) or is_undone:
            _await_emptied(spool, reach)
        if ensure_slot(connection, slot):
            spool.clear()  # a segment that was half received before the slot was made cannot be continued
    tools = programs_of(project, server.major).client
    Receiver(spool, address_of(project, APPLICATION), slot, tools, reach.start).run(_wait_in(project, reach))


def _wait_in(project: Project, reach: Reach) -> Callable[[timedelta], None]:
    """Return how the receiver waits: with `rpo = "zero"` commits wait for it from the moment on at which it streams."""
    asks = is_zero(project)

    def wait(duration: timedelta) -> None:
        nonlocal asks
        asks = asks and not make_commits_wait(project)
        reach.wait(duration)

    return wait


def _await_emptied(spool: Spool, reach: Reach) -> None:
    """Wait until what was received before the gap is archived: pg_receivewal would go on after it, where nothing is left."""
    while spool.closed():
        reach.wait(_LOOK)


def _archive(project: Project, reach: Reach) -> None:
    archivers: dict[str, Archiver] = {}
    ship_at = 0.0
    while True:
        for spool in spools(project):
            system = spool.folder.name
            if spool.major is None:
                continue
            if system not in archivers:
                tools = programs_of(project, spool.major).server
                archivers[system] = Archiver(spool, system, repositories_of(project)[0], recipients_of(project), tools)
            with spool.emptied_by_us():
                archivers[system].run()
                if clock.monotonic() >= ship_at:
                    archivers[system].ship()
        reach.prove()
        ship_at = clock.monotonic() + _SHIP.total_seconds() if clock.monotonic() >= ship_at else ship_at
        reach.wait(_LOOK)


def _copy(project: Project, what: What, reach: Reach) -> None:
    first, *others = repositories_of(project)
    copiers = [Copier(first, other, what) for other in others]
    while True:
        began = clock.monotonic()
        for copier in copiers:
            copied = copier.run(reach.check)
            if copied:
                log.info("backup.copied", repository=copier.target.name, objects=copied)
        reach.prove()
        looked = timedelta(seconds=clock.monotonic() - began)
        reach.wait(max(_COPY, looked))  # a large repository takes a while to list: at most half of the time goes there
