"""The embedded Valkey as the stack wants it."""

from msgspec.structs import replace

from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report
from pgkeel.local import VALKEY_USER, Valkey
from pgkeel.local.valkey_plan import ValkeyPlan
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.memory import Memory, remember, require_memory
from pgkeel.stack.password import ensure_password

__all__ = ["cache_secret", "cache_url", "ensure_valkey", "remembered_valkey"]


def ensure_valkey(project: Project, layout: Layout, memory: Memory, report: Report) -> Memory:
    """Start Valkey unless it runs or is not wanted, and return what the next command needs."""
    if not project.config.local.valkey:
        return _without(layout, memory)
    valkey = Valkey.create(
        memory.server / "valkey",
        account=memory.account,
        port=project.config.local.valkey_port,
        password=ensure_password(layout.password_file("valkey"), VALKEY_USER),
    )
    memory = _remembered(layout, memory, valkey)  # now, so that `down` finds a server whose `up` was killed while it started
    if not valkey.is_running:
        report(f"starting Valkey {valkey.version}")
        valkey.start()
    return _remembered(layout, memory, valkey)


def remembered_valkey(layout: Layout, memory: Memory) -> Valkey | None:
    """Return the Valkey of the last `up`, or None where it did not run one."""
    if memory.valkey_program is None or not (memory.server / "valkey" / "data").is_dir():
        return None
    plan = ValkeyPlan(
        directory=(memory.server / "valkey").resolve(),
        program=memory.valkey_program,
        version=memory.valkey_version or "",
        account=memory.account,
        port=memory.valkey_port or 0,
        password=ensure_password(layout.password_file("valkey"), VALKEY_USER),
    )
    return Valkey(plan)


def cache_url(project: Project) -> CacheUrl:
    """Return the address of the project's cache: the configured one, else the embedded Valkey's.

    Raises:
        Unreachable: The embedded stack was never started.
        ConfigError: There is no cache, or its address is wrong.
    """
    external = project.cache_url()
    if external is not None:
        return external
    valkey = None
    if not project.is_external:
        layout = layout_of(project)
        valkey = remembered_valkey(layout, require_memory(layout))
    if valkey is None:
        raise ConfigError("this project has no cache", hint="set [cache] url, or local.valkey = true and `pgkeel up`")
    return valkey.url()


def cache_secret(project: Project) -> Secret | None:
    """Return what the keys of the project's cache are hashed with; None where an external project names none.

    Raises:
        ConfigError: The reference points to nothing.
    """
    reference = project.config.cache.secret
    if reference is not None:
        return Secret.from_reference(reference, folder=project.root)
    if project.is_external:
        return None
    return ensure_password(layout_of(project).password_file("cache"), "cache")


def _remembered(layout: Layout, memory: Memory, valkey: Valkey) -> Memory:
    port = valkey.port or None
    memory = replace(memory, valkey_port=port, valkey_version=valkey.version, valkey_program=valkey.plan.program)
    remember(layout, memory)
    return memory


def _without(layout: Layout, memory: Memory) -> Memory:
    valkey = remembered_valkey(layout, memory)
    if valkey is not None:
        valkey.stop()
    memory = replace(memory, valkey_port=None, valkey_version=None, valkey_program=None)
    remember(layout, memory)
    return memory
