"""What the agent does for backups at set times: the design's daily full and hourly incremental, retention, verification.

They must run while the database is down or has just come back, so no record in the database says what was done: the
repository does, and its lease keeps two agents apart.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs import Job, Result
from pgkeel.backup import Record, read_catalogue
from pgkeel.backup.catalogue import verify
from pgkeel.backup.planning import Wish
from pgkeel.backup.recovery.errors import NoBackup, VerificationFailed
from pgkeel.backup.retention import plan_prune, prune
from pgkeel.backup.wal_index import read_index
from pgkeel.core.errors import ConfigError, LockNotObtained
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.core.telling import counted
from pgkeel.stack.backups import holder, own_systems, source, take
from pgkeel.stack.rolling import remove_image, roll, wants_image
from pgkeel.stack.vault import policy_of, repositories_of

__all__ = ["SCHEDULES", "backup_jobs"]

log = get_logger(__name__)

SCHEDULES = {
    "backup_full": "0 2 * * *",
    "backup_incremental": "30 * * * *",
    "backup_image": "45 * * * *",
    "backup_prune": "0 4 * * *",
    "backup_verify": "0 5 * * *",
}
_DAY = timedelta(days=1)
_SHARES = 7  # a repository is read whole once a week


def backup_jobs(project: Project) -> tuple[Job, ...]:
    """Return the jobs."""
    work = {
        "backup_full": (timedelta(hours=12), lambda context: _take(project, "full", context)),
        "backup_incremental": (timedelta(hours=6), lambda context: _take(project, "incremental", context)),
        "backup_image": (timedelta(hours=6), lambda context: _roll(project, context)),
        "backup_prune": (timedelta(hours=2), lambda context: _prune(project, context)),
        "backup_verify": (timedelta(hours=6), lambda context: _verify(project, context)),
    }
    return tuple(
        Job(name=name, schedule=SCHEDULES[name], role="monitor", deadline=deadline, needs_leader=False, run=run)
        for name, (deadline, run) in work.items()
    )


def _take(project: Project, wish: Wish, context: Context) -> Result:
    """Take it, and say whether WAL is missing in the repository: a full backup goes on behind a gap, and leads into none."""
    system = source(project).system
    done = _taken(project, wish, context, system)
    gaps = read_index(repositories_of(project)[0], system).gaps
    if not gaps:
        return done
    return {**done, "gap": f"from {gaps[-1].from_lsn} to {gaps[-1].to_lsn} on timeline {gaps[-1].timeline}"}


def _taken(project: Project, wish: Wish, context: Context, system: str) -> dict[str, object]:
    """Take it unless a backup since the due time is there, or is being taken: then the next due time is soon enough."""
    records = [record for record in read_catalogue(repositories_of(project)[0]).records if record.system_identifier == system]
    now = context.clock.now()  # one from the future was taken by a clock that has come back
    since = [one for one in records if context.due <= one.started_at <= now and (wish == "incremental" or one.kind == "full")]
    if since:
        return {"backup": since[-1].id, "taken": False}
    if wish == "incremental" and not records:
        return {"backup": None, "taken": False}  # the first one is the full backup's business
    try:
        record = take(project, wish, spawn=context.start, wait=context.wait)
    except LockNotObtained as err:
        if wish == "full":
            raise
        return {"backup": None, "taken": False, "because": err.message}
    return {"backup": record.id, "taken": True, "bytes": record.bytes}


def _roll(project: Project, context: Context) -> Result:
    """Roll the restored image to the hour's WAL slice; where native incremental backups are sound, none is kept."""

    def hear(text: str) -> None:
        context.check()
        log.info("image.step", step=text)

    if not wants_image(project):
        return {"rolled": False, "because": "backup.image is off"}
    try:
        if not source(project).why_not_incremental:
            return {"rolled": False, "removed": remove_image(project)}
        image = roll(project, hear)
    except (
        ConfigError,
        LockNotObtained,
        NoBackup,
    ) as err:  # or somebody recovers from it now, or it is too early
        return {"rolled": False, "because": err.message}
    return {"rolled": image is not None, "point": image.point if image else None}


def _prune(project: Project, context: Context) -> Result:
    policy, systems = policy_of(project), own_systems(project)
    deleted = 0
    for repository in repositories_of(project):
        records = read_catalogue(repository).records
        for system in sorted(systems & {record.system_identifier for record in records}):
            context.check()
            now = _prudent(context.clock.now(), [record for record in records if record.system_identifier == system])
            work = plan_prune(repository, policy, now=now, systems=(system,))
            deleted += len(prune(repository, work, holder=holder()).backups)
    return {"deleted": deleted}


def _prudent(now: datetime, records: Sequence[Record]) -> datetime:
    """Return from when the window is counted back: while no backup is taken, or where the clock is ahead, nothing grows older."""
    newest = max((record.finished_at for record in records), default=now)
    return min(now, newest + _DAY)


def _verify(project: Project, context: Context) -> Result:
    share = _share_of(context.due)
    found = {repository.name: verify(repository, share=share, check=context.check) for repository in repositories_of(project)}
    damaged = [f"{name}: {fault.object}: {fault.reason}" for name, verdict in found.items() for fault in verdict.damaged]
    if damaged:
        log.error("backup.damaged", objects=damaged[:20])
        raise VerificationFailed(
            f"{counted(len(damaged), 'damaged object')}: {damaged[0]}", hint="`pgkeel backup verify` lists them"
        )
    return {"checked": sum(verdict.checked for verdict in found.values())}


def _share_of(due: datetime) -> tuple[int, int]:
    return due.toordinal() % _SHARES, _SHARES
