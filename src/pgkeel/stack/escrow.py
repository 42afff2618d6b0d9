"""The key that wraps the keys of encrypted columns, seen from a recovered database: today's, or the one in its backup."""

from collections.abc import Collection, Iterator

from pgkeel.backup import Record, fetch_sealed
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.core.errors import ConfigError, KeelError
from pgkeel.core.files import write_whole
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report, counted
from pgkeel.postgres import Connection, load
from pgkeel.security.keys import KeyProvider, LocalProvider, WrappedKey, keys_of, rewrap
from pgkeel.stack.folders import prepare
from pgkeel.stack.keys import key_provider
from pgkeel.stack.restoring import Scene
from pgkeel.stack.vault import kept_keys

__all__ = ["bring_key_back", "carried_provider", "living_keys", "provider_here", "wrap_by_todays"]

log = get_logger(__name__)


def living_keys(connection: Connection) -> tuple[WrappedKey, ...]:
    """Return the keys of a database that are not destroyed; none where it never had any."""
    if not load(__name__, "has_keys").scalar(connection):
        return ()
    return tuple(key for key in keys_of(connection) if key.wrapped is not None)


def provider_here(project: Project) -> KeyProvider | None:
    """Return what wraps the keys today, or None where that is not on this machine."""
    try:
        return key_provider(project)
    except ConfigError:
        return None


def carried_provider(scene: Scene, plan: Plan, names: Collection[str] = ()) -> KeyProvider | None:
    """Return what the backups carry, or None where they carry nothing (`[backup] escrow_keys`).

    Args:
        scene: Whose backups.
        plan: What is restored.
        names: Which one is wanted, for each backup carries what wrapped the keys when it was taken; where none carries that, or
            nothing is wanted, the one that was carried last at the plan's end.
    """
    last = None
    for content in _carried(scene, plan):
        found = LocalProvider(Secret(content.decode()))
        if not names or found.name in names:
            return found
        last = last or found
    return last


def bring_key_back(scene: Scene, plan: Plan, report: Report) -> None:
    """Where there is no key file, make it of what `reset` left, or the backup carries: without it no encrypted column opens."""
    file = scene.layout.field_key
    if scene.project.is_external or scene.project.config.security.key is not None or file.exists():
        return
    content = _kept(scene.project) or next(_carried(scene, plan), b"")
    if content:
        report("bringing back the key of encrypted columns")
        prepare(scene.layout)
        write_whole(file, content)


def wrap_by_todays(scene: Scene, plan: Plan, connection: Connection, report: Report) -> None:
    """Wrap the keys by today's outer key where the backup's time had another one; the values stay as they are."""
    here = provider_here(scene.project)
    names = {key.provider for key in living_keys(connection)} - {here.name if here else ""}
    carried = carried_provider(scene, plan, names) if here and names else None
    if here is not None and carried is not None and carried.name in names:
        report(f"wrapping {counted(rewrap(connection, carried, here), 'key')} by today's key")


def _kept(project: Project) -> bytes:
    """Return the key that the last `reset` left, or b"" where none did."""
    left = sorted(kept_keys(project).glob("*.key"), key=lambda file: file.stat().st_mtime_ns)
    return left[-1].read_bytes() if left else b""


def _carried(scene: Scene, plan: Plan) -> Iterator[bytes]:
    """Yield what the backups carry: that of the last one before the plan's end first, then of those before and after it."""
    end = (plan.target.timeline, parse_lsn(plan.target.lsn))
    holding = sorted((one for one in scene.records if one.keys), key=_place)
    known = [one for one in holding if _place(one) <= end or one.id in plan.chain]
    for record in (*reversed(known), *(one for one in holding if one not in known)):
        try:
            yield fetch_sealed(record.keys, scene.archive.repositories, scene.archive.identity)
        except KeelError as err:  # another one may be whole, and carry the same
            log.warning("recover.key_not_read", backup=record.id, error=err.message)


def _place(record: Record) -> tuple[int, int]:
    return (record.timeline, parse_lsn(record.end_lsn))
