"""What is done with backups that exist: find, copy, keep, prune, export."""

import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pgkeel.backup import Part, Record, fetch_manifest, read_catalogue, unseal
from pgkeel.backup.basebackup import Progress
from pgkeel.backup.copying import Copier
from pgkeel.backup.marks import keep, unkeep
from pgkeel.backup.retention import Pruned, PrunePlan, plan_prune, prune
from pgkeel.backup.sealing import Count
from pgkeel.core import clock
from pgkeel.core.errors import ConfigError, KeelError, NotFound, Refused
from pgkeel.core.files import require_folder_of, sync_folder
from pgkeel.core.project import Project
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report, counted
from pgkeel.stack.adopting import engine_of, require_own
from pgkeel.stack.backups import holder, own_systems
from pgkeel.stack.layout import layout_of
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.vault import identity_of, policy_of, repositories_of

__all__ = [
    "ExportFailed",
    "carry_out_prune",
    "copy_backup",
    "export_backup",
    "find_backup",
    "keep_backup",
    "plan_prunes",
    "require_identity",
    "states_of",
]

STORED, WAITING = "stored", "waiting"
_CHUNK = 2**20


class ExportFailed(KeelError):
    """A file that a backup was to be written to could not be."""

    code = "export_failed"


def _unheard(_done: int, _total: int) -> None:
    pass


def find_backup(project: Project, name: str, *repositories: str) -> Record:
    """Return the backup of an id, from the first repository that has it; of several clusters' the project's own.

    Raises:
        NotFound: None has it.
        Refused: Several clusters have it, and none or several of them are the project's.
        RepositoryUnreachable: One that may have it does not answer, and no other has it.
    """
    engine, refusals = engine_of(project), list[KeelError]()
    places = () if engine else repositories_of(project, *repositories)
    for records in (engine.backups,) if engine else [partial(_records_of, one) for one in places]:
        try:
            found = [one for one in records() if name in {one.id, one.folder}]
        except KeelError as err:
            refusals.append(err)
            continue
        if found:
            return _own(project, found)
    if refusals:
        raise refusals[0]
    where = engine.name if engine else ", ".join(one.name for one in places)
    raise NotFound(f"there is no backup {name} in {where}", hint="`pgkeel backup list` shows them")


def _own(project: Project, found: Sequence[Record]) -> Record:
    """Return the only one, or the only one of the project's clusters: backups are named by the second in which they began."""
    if len(found) > 1:
        systems = own_systems(project)
        found = [one for one in found if one.system_identifier in systems] or found
    if len(found) > 1:
        names = ", ".join(one.folder for one in found)
        raise Refused(f"{counted(len(found), 'cluster')} have a backup {found[0].id}", hint=f"name one of {names}")
    return found[0]


def _records_of(repository: Repository) -> Sequence[Record]:
    return read_catalogue(repository).records


def states_of(project: Project, record: Record) -> Mapping[str, str]:
    """Return in which repositories a backup is: `stored`, `waiting` to be copied, or `unreachable`."""
    engine = engine_of(project)
    if engine is not None:
        return {engine.name: STORED}
    states = {}
    for repository in repositories_of(project):
        try:
            there = any(one.folder == record.folder for one in read_catalogue(repository).records)
            states[repository.name] = STORED if there else WAITING
        except KeelError:
            states[repository.name] = "unreachable"
    return states


def copy_backup(project: Project, record: Record, report: Report, progress: Progress = _unheard) -> Mapping[str, str]:
    """Copy what the other repositories lack, and return where the backup is then; what fails is left to the agent.

    Args:
        project: Whose.
        record: The backup that is asked about.
        report: Hears what failed.
        progress: Hears for each repository how many bytes were copied, of how many.
    """
    first, *others = repositories_of(project)
    states = {first.name: STORED}
    for other in others:
        try:
            Copier(first, other, "backups").run(progress=progress)
            states[other.name] = STORED
        except KeelError as err:
            states[other.name] = STORED if _has(other, record) else WAITING
            what = "other backups are" if states[other.name] == STORED else f"{record.id} is"
            report(f"{what} not in {other.name} yet: {err.message}; the agent tries it again")
    return states


def _has(repository: Repository, record: Record) -> bool:
    try:
        return any(one.folder == record.folder for one in _records_of(repository))
    except KeelError:
        return False


def keep_backup(project: Project, name: str, *, release: bool, dry_run: bool) -> Record:
    """Mark a backup as one that stays, or as any other again, in every repository that has it."""
    require_own(project, "keep")
    record = find_backup(project, name)
    if not dry_run:
        change = unkeep if release else keep
        for repository in repositories_of(project):
            change(repository, record.system_identifier, record.id)
    return record


def plan_prunes(project: Project, *repositories: str) -> Mapping[str, PrunePlan]:
    """Return what may go from each repository; nothing is deleted, and others' clusters stay out."""
    policy, systems = policy_of(project), own_systems(project)
    return {
        one.name: plan_prune(one, policy, now=clock.now(), systems=systems) for one in repositories_of(project, *repositories)
    }


def carry_out_prune(project: Project, plans: Mapping[str, PrunePlan]) -> Pruned:
    """Delete what the plans name and return all that is gone.

    Raises:
        LockNotObtained: Somebody reads or takes backups; nothing more is deleted.
        RecoveryOpen: One is that may need them.
    """
    require_no_recovery(layout_of(project))
    done = [prune(one, plans[one.name], holder=holder()) for one in repositories_of(project, *plans)]
    gone = tuple(dict.fromkeys(backup for each in done for backup in each.backups))
    return Pruned(gone, sum(each.wal for each in done), tuple(key for each in done for key in each.locked))


def export_backup(
    project: Project, name: str, target: Path, *repositories: str, dry_run: bool, progress: Progress = _unheard
) -> Record:
    """Write a backup's plain tar; it appears whole, synced, and never over another file.

    A tablespace gets a file of its own beside it: `FILE.OID.tar` beside `FILE.tar`, as pg_basebackup does.

    Raises:
        Refused: A file exists.
        UsageError: Its folder is missing.
        ExportFailed: The disk is full; nothing of the file that was being written is left.
        ConfigError: The identity is not here, or is the wrong one.
        Damaged: A part is whole in no repository.
    """
    require_own(project, "export")
    record = find_backup(project, name, *repositories)
    if not record.parts:
        raise Refused(f"{name} is a WAL slice: it has no data of its own", hint=f"export its parent, {record.parent}")
    files = {target.with_suffix(f".{one.oid}{target.suffix}"): one.parts for one in record.tablespaces} | {target: record.parts}
    for file in files:
        _require_new(file)
    identity, places = require_identity(project), repositories_of(project, *repositories)
    if dry_run:
        return record
    count = Count((part for parts in files.values() for part in parts), progress)
    for file, parts in files.items():
        _write_tar(file, places, count.of(parts), identity, manifest=fetch_manifest(record, places) if file == target else b"")
    return record


def require_identity(project: Project) -> Secret:
    """Return what opens the backups.

    Raises:
        ConfigError: It is kept on another machine.
    """
    identity = identity_of(project)
    if identity is None:
        raise ConfigError("the identity that opens backups is not on this machine", hint='set [backup] identity = "file:PATH"')
    return identity


def _write_tar(
    target: Path, repositories: Sequence[Repository], parts: Iterable[Part], identity: Secret, *, manifest: bytes = b""
) -> None:
    draft = target.with_name(f".{target.name}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            if manifest:  # it does not travel in a compressed stream
                file.write(_member("backup_manifest", manifest))
            unseal(repositories, parts, identity=identity, read=lambda source: shutil.copyfileobj(source, file, _CHUNK))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
        sync_folder(target.absolute().parent)
    except OSError as err:
        raise ExportFailed(f"{target} cannot be written: {err.strerror}", hint="free space, or name another FILE") from err
    finally:
        draft.unlink(missing_ok=True)


def _require_new(file: Path) -> None:
    require_folder_of(file)
    if file.exists():
        raise Refused(f"{file} exists", hint="name a new file")


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(content), 0o600
    return header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)
