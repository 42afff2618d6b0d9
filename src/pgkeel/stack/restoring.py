"""Everything that a restore of this project needs, introduced to each other; nothing here touches the server that runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from pgkeel.backup import Folder, Record, Tools, fetch_backup, open_repository, read_index
from pgkeel.backup.adopted import Engine
from pgkeel.backup.lease import reading
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.chain import Link, add_own_wal, combine, give_away, prepare, require_room
from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.errors import NoBackup, NotRestorable
from pgkeel.backup.recovery.gather import Archive
from pgkeel.backup.recovery.image import IMAGE, copy_image
from pgkeel.backup.recovery.listing import Sources, not_evaluated, verify_files, write_manifest
from pgkeel.backup.recovery.pace import Pace
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.side import apply_wal, hide_settings, limits_of, wal_from
from pgkeel.backup.recovery.tablespaces import PLACE, set_apart
from pgkeel.backup.recovery.timelines import hold_timelines, newest_timeline
from pgkeel.backup.recovery.wal import Wal, require_whole
from pgkeel.backup.spool import Spool
from pgkeel.backup.unpacking import Files
from pgkeel.core.errors import ConfigError, KeelError, NotFound
from pgkeel.core.project import Project
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report
from pgkeel.local import Account, Cluster, Runtime, choose_account, find_runtime
from pgkeel.stack.adopting import adopted_archive, engine_of
from pgkeel.stack.answering import Answering, ask
from pgkeel.stack.backups import holder
from pgkeel.stack.clusters import hint_at_others, only_system, system_of
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.postgres import place_of_servers
from pgkeel.stack.vault import backup_folder, identity_of, repositories_of, tools_of

__all__ = [
    "Scene",
    "bring_back",
    "fetch_link",
    "image_folder",
    "kept_from_pruning",
    "open_side",
    "replay",
    "require_room_for",
    "scene_of",
    "server_in",
    "side_cluster",
]

_PATIENCE = timedelta(hours=24)
_ROLLED = "it began with the rolling image, which WAL has changed since"


class Scene(msgspec.Struct, frozen=True):
    """What a restore works with.

    Attributes:
        project: Whose.
        layout: Where its stack is.
        server: The servers' folder.
        account: Who runs them.
        runtime: Programs of the cluster's major.
        system: The cluster's system identifier.
        records: Its finished backups.
        archive: Where its WAL is.
        engine: The tool that took the backups, or None where pgkeel did.
        may_use_image: Whether a restore may begin with the rolling image; a drill may not, because it proves the backups.
        warnings: What a person should know first.
    """

    project: Project
    layout: Layout
    server: Path
    account: Account
    runtime: Runtime
    system: str
    records: tuple[Record, ...]
    archive: Archive
    engine: Engine | None = None
    may_use_image: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def tools(self) -> Tools:
        """The programs as a recovery runs them."""
        return tools_of(self.runtime)

    @property
    def directory(self) -> Path:
        """The folder of the real server."""
        return self.server / "postgres"


def scene_of(project: Project, *, source: str | None = None, system: str | None = None) -> Scene:
    """Return what a restore works with; one of several repositories that does not answer is left out. Nothing is written.

    Args:
        project: Whose.
        source: Address of a repository, or the name of a configured one; all configured ones when not given.
        system: Which cluster; when not given, that of the server that is here, or the only one in the repository.

    Raises:
        ConfigError: Nothing here opens the backups.
        NotRestorable: There is no backup (`NoBackup`), or several clusters' and nobody said which.
        RepositoryUnreachable: No repository answers.
    """
    layout, account = layout_of(project), choose_account(project.config.local.run_as)
    engine = engine_of(project) if source is None else None
    asked = Answering(records=_adopted(project, engine)) if engine else ask(_repositories(project, source))
    records = {one.folder: one for one in asked.records}  # two clusters take backups in the same second, under the same id
    server = place_of_servers(layout, account)
    known = system_of(server / "postgres" / "data", account)
    chosen = system if system is not None else known or only_system(list(records.values()))
    mine = tuple(sorted((one for one in records.values() if one.system_identifier == chosen), key=lambda one: one.finished_at))
    if not mine:
        raise NoBackup(f"there is no backup of cluster {chosen}", hint=hint_at_others(records.values()))
    major = mine[-1].server_version.partition(".")[0]
    runtime = find_runtime(major, account=account)
    own = server / "postgres" / "data" / "pg_wal" if known in {None, chosen} else server / "of-another-cluster"
    spool = Spool(backup_folder(project) / "wal" / chosen)
    folders = (spool.folder, own, spool.left)
    archive = adopted_archive(project, engine, folders) if engine else _archive(project, asked.repositories, chosen, folders)
    return Scene(project, layout, server, account, runtime, chosen, mine, archive, engine, warnings=asked.warnings)


def require_own_cluster(scene: Scene) -> None:
    """Prove that a recovery would not put one cluster in the place of another.

    Raises:
        NotRestorable: The server that is here is another one than the backups'.
    """
    known = system_of(scene.directory / "data", scene.account)
    if known not in {None, scene.system}:
        raise NotRestorable(
            f"the server here is cluster {known}, not {scene.system}",
            hint=f"`pgkeel recover --system {scene.system} --into DIR` brings that one up beside it; or `pgkeel reset` first",
        )


def image_folder(scene: Scene) -> Path:
    """Return where the rolling image of the project's cluster is kept."""
    return scene.server / IMAGE


def require_room_for(plan: Plan, directory: Path) -> None:
    """Prove that there is room for a plan, also before anything is stopped for it.

    Raises:
        NotRestorable: There is none.
    """
    require_room(directory, plan.bytes * len(plan.chain) + plan.wal_bytes)


def bring_back(scene: Scene, plan: Plan, directory: Path, report: Report) -> Check:
    """Restore a plan's backups, or the image where that leads there, into the folder of a side server.

    The folder is empty or half restored; `directory/wal` holds the WAL. Returns what `pg_verifybackup` said of its files.

    Raises:
        FilesDiffer: They are not what was backed up; no server has started there.
    """
    data = directory / "data"
    require_room_for(plan, directory)
    has_image = scene.may_use_image and copy_image(image_folder(scene), scene.system, plan, directory, scene.tools, report)
    files = not_evaluated(_ROLLED) if has_image else _restore_chain(scene, plan, directory, report)
    add_own_wal(data, directory / "wal", is_fresh=not has_image and scene.engine is None)
    hold_timelines(directory / "wal", plan.target.timeline, newest_timeline(scene.records, scene.archive, scene.system))
    for part in (data, directory / "wal", directory / PLACE):
        if part.is_dir():
            give_away(part, scene.account.uid, scene.account.gid)
    return files


def _restore_chain(scene: Scene, plan: Plan, directory: Path, report: Report) -> Check:
    records = {one.id: one for one in scene.records}
    proved = scene.engine is not None
    links = [Link(name, partial(fetch_link, scene, records[name], report), proved) for name in plan.chain]
    with kept_from_pruning(scene, plan.chain):
        sources = combine(links, directory / "links", directory / "data", scene.tools, report)
    files = _verified(scene, directory / "data", sources, report)
    prepare(directory / "data", scene.runtime.major)
    hide_settings(directory / "data")
    set_apart(directory / "data")
    return files


def _verified(scene: Scene, data: Path, sources: Sources | None, report: Report) -> Check:
    if scene.engine is not None:
        return not_evaluated("another tool put it together")
    if sources is not None:
        write_manifest(data, sources)
    return verify_files(data, scene.tools, report)


def open_side(scene: Scene, plan: Plan, directory: Path) -> Cluster:
    """Return the side server of a folder, told where to stop; it is not started."""
    hide_settings(directory / "data")
    archive = {"restore_command": wal_from(directory / "wal")}
    return side_cluster(scene, directory, {**limits_of(directory / "data", scene.tools), **plan.settings, **archive})


def side_cluster(scene: Scene, directory: Path, settings: Mapping[str, str]) -> Cluster:
    """Return a server that has a private socket and listens nowhere; only its account and root reach it."""
    return Cluster.open(
        directory,
        runtime=scene.runtime,
        account=scene.account,
        superuser_password=Secret.generate(),
        name="recovery",
        settings=settings,
        access=("local all all trust",),
        listens=False,
    )


def server_in(project: Project, directory: Path) -> Cluster | None:
    """Return the side server of a folder, to be stopped or deleted, or None where there is none; no repository is asked."""
    if not Cluster.exists(directory):
        return None
    account = choose_account(project.config.local.run_as)
    major = (directory / "data" / "PG_VERSION").read_text(encoding="ascii").strip()
    nobody = Secret.generate()  # logs in
    return Cluster.open(directory, runtime=find_runtime(major, account=account), account=account, superuser_password=nobody)


def replay(scene: Scene, plan: Plan, directory: Path, report: Report) -> Cluster:
    """Return the side server, stopped exactly at the target and read-only; the WAL is proved first.

    Raises:
        WalMissing: A segment is not there.
        WalDamaged: A record is not what was written.
        NotRestorable: It stopped elsewhere.
    """
    start, end = parse_lsn(plan.start), parse_lsn(plan.end)
    wal = Wal(directory / "wal", plan.target.timeline, start)
    require_whole(wal, end, scene.tools, size=plan.segment_bytes)
    server, pace = open_side(scene, plan, directory), Pace("replayed", report)
    apply_wal(server, plan.settings, lambda at: pace(max(0, at - start), max(0, end - start)), patience=_PATIENCE)
    return server


def _adopted(project: Project, engine: Engine) -> tuple[Record, ...]:
    """Return the backups of another tool: each is whole by itself, because it puts a chain together.

    Raises:
        NoBackup: It has none.
    """
    found = tuple(msgspec.structs.replace(one, kind="full", parent=None) for one in engine.backups())
    if not found:
        raise NoBackup(
            f"{engine.name} has no backup of {project.config.backup.engine_server}", hint="`pgkeel backup full` takes one"
        )
    return found


def _repositories(project: Project, source: str | None) -> tuple[Repository, ...]:
    if source is None:
        return repositories_of(project)
    if source in project.config.backup.repositories:
        return repositories_of(project, source)
    found = open_repository(source, source, root=Path.cwd())
    if isinstance(found, Folder) and not found.root.is_dir():
        known = ", ".join(("a folder", "s3://BUCKET/PREFIX", *project.config.backup.repositories))
        raise NotFound(f"there is no folder {found.root}", hint=f"name one of {known}")
    return (found,)


def _archive(project: Project, repositories: Sequence[Repository], system: str, folders: tuple[Path, ...]) -> Archive:
    identity = identity_of(project)
    if identity is None:
        raise ConfigError(
            "nothing here opens the backups", hint='set identity = "file:PATH" in [backup] to the age identity that you kept'
        )
    indexes = [read_index(each, system) for each in repositories]
    segments = {row.name: row for index in reversed(indexes) for row in index.segments}
    pieces = {(row.segment, row.start): row for index in reversed(indexes) for row in index.pieces if row.segment not in segments}
    return Archive(
        repositories,
        identity,
        tuple(segments[name] for name in sorted(segments)),
        tuple(pieces[key] for key in sorted(pieces)),
        folders,
        system=system,
    )


@contextmanager
def kept_from_pruning(scene: Scene, chain: Sequence[str]) -> Iterator[None]:
    """Say in the repository what is being read; one that cannot be written to is read without."""
    with ExitStack() as leases:
        for repository in scene.archive.repositories:
            with suppress(KeelError):
                leases.enter_context(reading(repository, scene.system, holder=holder(), backups=chain))
        yield


def fetch_link(scene: Scene, record: Record, report: Report, place: Path, files: Files, check: Callable[[], None]) -> None:
    """Bring a backup of a chain."""
    if scene.engine is not None:
        scene.engine.restore(record.id, place)
        return
    pace = Pace("read", report)

    def progress(done: int, total: int) -> None:
        check()
        pace(done, total)

    fetch_backup(record, scene.archive.repositories, scene.archive.identity, place, progress=progress, files=files)
