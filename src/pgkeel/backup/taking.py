"""Take a backup: stream it into the repository, and store its record last, so that a killed one never counts."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import IO

import msgspec

from pgkeel.backup.basebackup import BASE, BaseBackup, Compressor, Progress, next_compressor, range_of, staged
from pgkeel.backup.catalogue import read_fulls, sweep
from pgkeel.backup.clear import store_clear
from pgkeel.backup.closed import Closed
from pgkeel.backup.fetching import fetch_manifest
from pgkeel.backup.growing import Tar
from pgkeel.backup.lease import working
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.pipes import own_errors
from pgkeel.backup.planning import Plan, Wish, plan_backup
from pgkeel.backup.records import Record, Tablespace, write_record
from pgkeel.backup.relations import Relations
from pgkeel.backup.replication import is_replication_refused, no_replication, require_takeable, wal_kept
from pgkeel.backup.sealing import Part, seal, seal_packed, writer_of
from pgkeel.backup.slicing import await_archived
from pgkeel.backup.source import Source, source_of
from pgkeel.backup.tools import Programs, Spawn, ToolFailed, giving_way, start
from pgkeel.backup.wal_index import WalIndex, read_index
from pgkeel.core import clock
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger
from pgkeel.core.repository import Repository
from pgkeel.core.telling import Report, silent
from pgkeel.postgres import Connection, load

__all__ = ["Order", "Taker"]

log = get_logger(__name__)

_REMOVED = "has already been removed"  # of WAL, by a checkpoint that came before the slot
_SUMMARIES = "summar"  # the word in every refusal that has to do with WAL summaries; pg_basebackup gives no code


class Order(msgspec.Struct, frozen=True):
    """Where backups come from and go to.

    Attributes:
        repository: The one that is written to; others get copies of what lies there.
        recipients: Who can open the backups.
        programs: PostgreSQL's tools.
        address: A conninfo string without a password, of a login with REPLICATION.
        holder: Who we are, in the repository's lease.
        rto: How long a recovery may take.
        patience: How long another process that works on the repository is waited for.
        keys: What wraps the keys of encrypted columns, which each backup carries, or None.
        staging: A folder through which the stream passes, in clear but compressed; None is the system's for temporary files.
    """

    repository: Repository
    recipients: Sequence[str]
    programs: Programs
    address: str
    holder: str
    rto: timedelta = timedelta(minutes=30)
    patience: timedelta = timedelta()
    keys: bytes | None = None
    staging: Path | None = None


class Taker:
    """Takes the backups of one cluster."""

    def __init__(
        self,
        order: Order,
        connection: Connection,
        *,
        relations: Callable[[], Relations],
        closed: Callable[[], Sequence[Closed]] = tuple,
        spawn: Spawn = start,
        report: Report = silent,
    ) -> None:
        """Look at the server; nothing is written.

        Args:
            order: Where from and where to.
            connection: Of a login that may make restore points.
            spawn: How children are started.
            relations: Says which files are which tables now.
            closed: Says what lies in closed partitions now.
            report: Hears what is waited for.
        """
        self._order = order
        self._connection = connection
        self._spawn = spawn
        self._relations = relations
        self._closed = closed
        self._report = report
        self._compressor: Compressor = "server"
        self._keeps_at_once = False
        self.source: Source = source_of(connection)

    def plan(self, wish: Wish) -> Plan:
        """Return what a wish comes to now; nothing is written.

        Raises:
            Refused: The server is a standby.
            NoReplication: The login may not replicate.
        """
        require_takeable(self.source)
        return self._planned(wish, self._keys())

    def _keys(self) -> list[str]:
        return [stored.key for stored in self._order.repository.list(self.source.system)]

    def _planned(self, wish: Wish, keys: Sequence[str]) -> Plan:
        fulls = read_fulls(self._order.repository, keys) if wish == "incremental" else []
        index = read_index(self._order.repository, self.source.system) if fulls else WalIndex()
        written = parse_lsn(load(__name__, "written").scalar(self._connection))
        return plan_backup(wish, self.source, fulls, index, now=clock.now(), written=written, rto=self._order.rto)

    def take(
        self, wish: Wish, *, progress: Progress = lambda _done, _total: None, wait: Callable[[timedelta], None] = clock.sleep
    ) -> Record:
        """Take what the wish comes to and return its record.

        Args:
            wish: `full` or `incremental`.
            progress: Hears how far it is.
            wait: Waits between looks at the archive; raises when the work is to end.

        Raises:
            LockNotObtained: Another process takes or deletes backups of this cluster.
            ToolFailed: pg_basebackup said no; nothing of the backup is left.
            NoReplication: The server refuses replication connections.
            NotArchived: The restore point of a WAL slice did not reach the repository.
        """
        require_takeable(self.source)
        order = self._order
        with working(order.repository, self.source.system, holder=order.holder, patience=order.patience, report=self._report):
            plan = self._unused(wish, sweep(order.repository, self.source.system))
            while True:
                try:
                    return self._carry_out(plan, progress, wait)
                except ToolFailed as err:
                    plan = self._other_way(wish, plan, err)

    def _other_way(self, wish: Wish, plan: Plan, refusal: ToolFailed) -> Plan:
        """Return what to try after pg_basebackup said no: another's zstd, a slot at once, or a full one without summaries."""
        if instead := next_compressor(self._compressor, refusal.message):
            self._compressor = instead
            return self._unused(wish, self._keys())
        if _REMOVED in refusal.message and not self._keeps_at_once:
            self._keeps_at_once = True
            log.warning("backup.wal_removed", reason=refusal.message)
            return self._unused(wish, self._keys())
        if plan.kind != "incremental" or _SUMMARIES not in refusal.message:
            raise self._explained(refusal)
        log.warning("backup.full_instead", reason=refusal.message)
        return self._unused("full", self._keys())

    def _explained(self, refusal: ToolFailed) -> KeelError:
        if not is_replication_refused(self._order.address, self._connection):
            return refusal
        remedy = "allow it in pg_hba.conf (`host replication LOGIN ADDRESS scram-sha-256`) and with max_wal_senders"
        return no_replication(f"the server refuses {self.source.login}'s replication connections", remedy)

    def _unused(self, wish: Wish, keys: Sequence[str]) -> Plan:
        """Return a plan whose id no finished backup has; ids count seconds, and a clock may go back."""
        taken = {key.split("/")[1] for key in keys}
        while (plan := self._planned(wish, keys)).id in taken:
            clock.sleep(_SECOND)
        return plan

    def _carry_out(self, plan: Plan, progress: Progress, wait: Callable[[timedelta], None]) -> Record:
        log.info("backup.started", id=plan.id, kind=plan.kind, reason=plan.reason)
        self._report(f"taking {plan.kind} {plan.id}{plan.reason and f': {plan.reason}'}")
        try:
            record = self._slice(plan, wait) if plan.kind == "wal" else self._stream(plan, progress)
            write_record(self._order.repository, record)
        except BaseException:
            self._discard(plan)
            raise
        log.info("backup.finished", id=record.id, kind=record.kind, bytes=record.bytes)
        return record

    def _stream(self, plan: Plan, progress: Progress) -> Record:
        started, stored = clock.now(), dict[str, tuple[Part, ...]]()
        with ThreadPoolExecutor(2, "beside") as beside:
            keeping = wal_kept(self._connection, beside, at_once=self._keeps_at_once)
            with giving_way(), staged(self._order.staging) as folder, keeping:
                relations = beside.submit(self._seal_relations, plan)
                base = BaseBackup(
                    self._order.programs.client,
                    self._order.address,
                    label=plan.id,
                    folder=folder / "stream",
                    spawn=self._spawn,
                    progress=progress,
                    parent=self._parent_manifest(plan, folder),
                    compressor=self._compressor,
                )
                base.run(lambda name, tar: stored.update({name: self._seal_archive(plan, name, tar)}))
            manifest = store_clear([self._order.repository], f"{self.source.system}/{plan.id}/manifest", base.manifest)
        needed = range_of(base.manifest)
        return Record(
            id=plan.id,
            kind=plan.kind,
            parent=plan.parent.id if plan.parent else None,
            system_identifier=self.source.system,
            server_version=self.source.version,
            timeline=needed.timeline,
            start_lsn=needed.start,
            end_lsn=needed.end,
            started_at=started,
            finished_at=clock.now(),
            parts=stored.pop(BASE),
            manifest=manifest,
            relations=relations.result(),
            keys=self._seal_keys(plan),
            rows=self._seal_rows(plan),
            size=base.size,
            checksums=self.source.checksums,
            tablespaces=self._tablespaces(stored),
        )

    def _slice(self, plan: Plan, wait: Callable[[timedelta], None]) -> Record:
        """Seal the WAL since the full backup with a restore point, and wait until the archive has all of it."""
        if plan.parent is None:
            raise ValueError("a WAL slice follows a full backup")
        started, relations = clock.now(), self._seal_relations(plan)
        point = load(__name__, "restore_point").scalar(self._connection, name=plan.id)
        await_archived(self._order.repository, plan.parent, point, wait)
        return Record(
            id=plan.id,
            kind="wal",
            parent=plan.parent.id,
            system_identifier=self.source.system,
            server_version=self.source.version,
            timeline=plan.parent.timeline,
            start_lsn=plan.parent.end_lsn,
            end_lsn=point,
            started_at=started,
            finished_at=clock.now(),
            parts=(),
            relations=relations,
            keys=self._seal_keys(plan),
            checksums=self.source.checksums,
            restore_point=plan.id,
        )

    def _parent_manifest(self, plan: Plan, folder: Path) -> Path | None:
        if plan.parent is None:
            return None
        (folder / "manifest").write_bytes(fetch_manifest(plan.parent, [self._order.repository]))
        return folder / "manifest"

    def _seal(self, plan: Plan, name: str, write: Callable[[IO[bytes]], None]) -> tuple[Part, ...]:
        places, recipients = [self._order.repository], self._order.recipients
        return seal(write, key=f"{self.source.system}/{plan.id}/{name}", repositories=places, recipients=recipients)

    def _seal_archive(self, plan: Plan, name: str, tar: Tar) -> tuple[Part, ...]:
        name = name if name == BASE else f"tablespace-{name}"
        if self._compressor == "nobody":
            with own_errors(tar):
                return self._seal(plan, name, partial(copyfileobj, tar.file))
        places, key = [self._order.repository], f"{self.source.system}/{plan.id}/{name}"
        return seal_packed(tar.file, tar, key=key, repositories=places, recipients=self._order.recipients)

    def _tablespaces(self, stored: Mapping[str, tuple[Part, ...]]) -> tuple[Tablespace, ...]:
        rows = {row["oid"]: row for row in load(__name__, "tablespaces").rows(self._connection)} if stored else {}
        unknown = {"name": "", "location": ""}
        found = ((int(name), parts, rows.get(int(name), unknown)) for name, parts in sorted(stored.items()))
        return tuple(Tablespace(oid, row["name"], row["location"], parts) for oid, parts, row in found)

    def _seal_relations(self, plan: Plan) -> tuple[Part, ...]:
        return self._seal(plan, "relations", writer_of(msgspec.json.encode(self._relations())))

    def _seal_keys(self, plan: Plan) -> tuple[Part, ...]:
        return self._seal(plan, "keys", writer_of(self._order.keys)) if self._order.keys else ()

    def _seal_rows(self, plan: Plan) -> tuple[Part, ...]:
        """Note what lies in closed partitions; after the copy, so that all of its WAL is later."""
        found = self._closed() if plan.kind == "full" else ()
        return self._seal(plan, "rows", writer_of(msgspec.json.encode(found))) if found else ()

    def _discard(self, plan: Plan) -> None:
        """Delete what a failed backup left; where that fails too, the next one's sweep does it."""
        try:
            for stored in list(self._order.repository.list(f"{self.source.system}/{plan.id}")):
                self._order.repository.delete(stored.key)
        except KeelError as err:
            log.warning("backup.not_discarded", id=plan.id, error=err.message)


_SECOND = timedelta(seconds=1)
