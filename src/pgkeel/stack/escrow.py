"""The key that wraps the keys of encrypted columns, seen from a recovered database: today's, or the one in its backup."""

from pgkeel.backup import fetch_sealed
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
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


def carried_provider(scene: Scene, plan: Plan) -> KeyProvider | None:
    """Return what the plan's full backup carries, or None where it carries nothing (`[backup] escrow_keys`)."""
    content = _carried(scene, plan)
    return LocalProvider(Secret(content.decode())) if content else None


def bring_key_back(scene: Scene, plan: Plan, report: Report) -> None:
    """Where there is no key file, make it of what `reset` left, or the backup carries: without it no encrypted column opens."""
    file = scene.layout.field_key
    if scene.project.is_external or scene.project.config.security.key is not None or file.exists():
        return
    content = _kept(scene.project) or _carried(scene, plan)
    if content:
        report("bringing back the key of encrypted columns")
        prepare(scene.layout)
        write_whole(file, content)


def wrap_by_todays(scene: Scene, plan: Plan, connection: Connection, report: Report) -> None:
    """Wrap the keys by today's outer key where the backup's time had another one; the values stay as they are."""
    here, carried = provider_here(scene.project), carried_provider(scene, plan)
    if here is None or carried is None or here.name == carried.name:
        return
    if any(key.provider == carried.name for key in living_keys(connection)):
        report(f"wrapping {counted(rewrap(connection, carried, here), 'key')} by today's key")


def _kept(project: Project) -> bytes:
    """Return the key that the last `reset` left, or b"" where none did."""
    left = sorted(kept_keys(project).glob("*.key"), key=lambda file: file.stat().st_mtime_ns)
    return left[-1].read_bytes() if left else b""


def _carried(scene: Scene, plan: Plan) -> bytes:
    full = next(one for one in scene.records if one.id == plan.chain[0])
    return fetch_sealed(full.keys, scene.archive.repositories, scene.archive.identity) if full.keys else b""
