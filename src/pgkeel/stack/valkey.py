"""The embedded Valkey as the stack wants it."""

from collections.abc import Callable

from msgspec.structs import replace

from pgkeel.core.project import Project
from pgkeel.local import VALKEY_USER, Valkey
from pgkeel.stack.layout import Layout
from pgkeel.stack.memory import Memory, remember
from pgkeel.stack.password import ensure_password

__all__ = ["ensure_valkey", "remembered_valkey"]

Report = Callable[[str], None]


def ensure_valkey(project: Project, layout: Layout, memory: Memory, report: Report) -> Memory:
    """Start Valkey unless it runs or is not wanted, and return what the next command needs."""
    if not project.config.local.valkey:
        _stop_unwanted(layout, memory)
        return _remembered(layout, replace(memory, valkey_port=None, valkey_version=None))
    valkey = Valkey.create(
        memory.server / "valkey",
        account=memory.account,
        port=project.config.local.valkey_port,
        password=ensure_password(layout.password_file("valkey"), VALKEY_USER),
    )
    if not valkey.is_running:
        report(f"starting Valkey {valkey.version}")
        valkey.start()
    return _remembered(layout, replace(memory, valkey_port=valkey.port, valkey_version=valkey.version))


def remembered_valkey(layout: Layout, memory: Memory) -> Valkey | None:
    """Return the Valkey of the last `up`, or None where it did not run one."""
    directory = memory.server / "valkey"
    if not (directory / "data").is_dir():
        return None
    password = ensure_password(layout.password_file("valkey"), VALKEY_USER)
    return Valkey.open(directory, account=memory.account, password=password)


def _stop_unwanted(layout: Layout, memory: Memory) -> None:
    valkey = remembered_valkey(layout, memory)
    if valkey is not None:
        valkey.stop()


def _remembered(layout: Layout, memory: Memory) -> Memory:
    remember(layout, memory)
    return memory
