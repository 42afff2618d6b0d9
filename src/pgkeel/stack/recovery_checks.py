"""What this project itself says about a sound database: its migrations' schema, and the assertions of its configuration."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pgkeel.backup import Record, fetch_sealed
from pgkeel.backup.closed import Closed
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.checks import Check, Look
from pgkeel.backup.recovery.gather import gather
from pgkeel.backup.recovery.partitions import noted_in, partitions_check, touched_in
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.wal import Wal
from pgkeel.core.errors import KeelError
from pgkeel.core.project import Project
from pgkeel.core.telling import counted
from pgkeel.migrations import project_sources
from pgkeel.migrations.drift import drift_between, recall
from pgkeel.postgres import Connection
from pgkeel.postgres.catalog import snapshot
from pgkeel.security.keys import KeyRing, WrongProvider
from pgkeel.stack.escrow import carried_provider, living_keys, provider_here
from pgkeel.stack.restoring import Scene

__all__ = ["assertions_of", "looks_of"]

_SCHEMAS, _SHOWN = ("public",), 3


def assertions_of(project: Project) -> Mapping[str, str]:
    """Return the queries of `[recover] assertions`, by name; the first value of each must be true."""
    return project.config.recover.assertions


def looks_of(scene: Scene, plan: Plan) -> Mapping[str, Look]:
    """Return what is looked at beside what every database is looked at for: the schema, the keys, closed partitions."""
    full = next(one for one in scene.records if one.id == plan.chain[0])
    looks: dict[str, Look] = {"schema": partial(_schema_check, scene.project), "keys": partial(_keys_check, scene, plan)}
    if full.rows:
        looks["partitions"] = partial(_partitions_check, scene, full, plan)
    return looks


def _keys_check(scene: Scene, plan: Plan, connection: Connection) -> Check:
    """Unwrap every key of encrypted columns with today's outer key, or with the one that the backup carries."""
    keys = living_keys(connection)
    if not keys:
        return Check("keys", True, "there is none")
    here, names = provider_here(scene.project), {key.provider for key in keys}
    carried = None if here is not None and names == {here.name} else carried_provider(scene, plan, names)
    known = [one for one in (here, carried) if one is not None]
    if not known:
        return Check("keys", None, "not evaluated: the key that unwraps them is not here, and the backups carry none")
    chosen = next((one for one in known if all(key.provider == one.name for key in keys)), known[0])
    try:
        KeyRing(chosen).take(keys)
    except WrongProvider as err:
        return Check("keys", False, f"{err.message}; {err.hint}")
    return Check("keys", True, f"{len(keys)} unwrap{'' if chosen is here else ' by the key that the backups carry'}")


def _partitions_check(scene: Scene, full: Record, plan: Plan, connection: Connection) -> Check:
    noted = noted_in(fetch_sealed(full.rows, scene.archive.repositories, scene.archive.identity))
    return partitions_check(connection, noted, partial(_touched, scene, full, plan))


def _touched(scene: Scene, full: Record, plan: Plan, some: Sequence[Closed]) -> frozenset[str] | None:
    start, until = parse_lsn(full.start_lsn), parse_lsn(plan.target.lsn)
    with TemporaryDirectory(dir=scene.server) as folder:
        try:
            end = gather(scene.archive, full.timeline, start, until, Path(folder))
        except KeelError:
            return None
        wal = Wal(Path(folder), full.timeline, start)
        return touched_in(wal, scene.tools, until, some) if end > until else None


def _schema_check(project: Project, connection: Connection) -> Check:
    """Compare a database with the schema whose fingerprint its last migration run left in the ledger.

    What is missing is a fault. What somebody added or changed by hand was so before, and is only told.
    """
    names = [source.name for source in project_sources(project)]
    expected, found = recall(connection, _SCHEMAS, names), snapshot(connection, schemas=_SCHEMAS)
    if expected is None:
        return Check("schema", None, "not evaluated: no migration run has noted a fingerprint")
    drift = drift_between(expected, found)
    missing = [f"{one.kind} {one.name}" for one in drift if one.right is None]
    by_hand = f"; {counted(len(drift), 'difference')} made by hand" if drift else ""
    told = f"missing: {', '.join(missing[:_SHOWN])}" if missing else f"fingerprint {found.fingerprint[:16]}{by_hand}"
    return Check("schema", not missing, told)
