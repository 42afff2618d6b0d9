"""What one `up` remembers for the next command: ports, account, folders. Never a secret."""

from pathlib import Path

import msgspec

from pgkeel.core.errors import Unreachable
from pgkeel.core.files import write_whole
from pgkeel.local import Account, Runtime
from pgkeel.stack.layout import Layout

__all__ = ["Memory", "NotUp", "recall", "remember", "require_memory"]


class NotUp(Unreachable):
    """The embedded stack has never been started in this project."""

    code = "not_up"


class Memory(msgspec.Struct, frozen=True):
    """What `up` decided.

    Attributes:
        server: The servers' folder.
        account: As whom they run.
        runtime: PostgreSQL's programs.
        database: Name of the database.
        port: PostgreSQL's port; 0 until it has started once.
        socket: Folder of PostgreSQL's socket.
        valkey_port: Valkey's port, or None where it is not wanted or has not started once.
        valkey_version: Valkey's version when it was last started.
        valkey_program: Its program, or None where it is not wanted.
        warnings: What `status` repeats.
    """

    server: Path
    account: Account
    runtime: Runtime
    database: str
    port: int
    socket: Path
    valkey_port: int | None = None
    valkey_version: str | None = None
    valkey_program: Path | None = None
    warnings: tuple[str, ...] = ()


def recall(layout: Layout) -> Memory | None:
    """Return what the last `up` remembered; None when there was none, or a fault left nothing readable."""
    try:
        return msgspec.json.decode(layout.memory.read_bytes(), type=Memory, dec_hook=_path)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def require_memory(layout: Layout) -> Memory:
    """Return what the last `up` remembered.

    Raises:
        NotUp: There was none.
    """
    memory = recall(layout)
    if memory is None or not memory.port:
        raise NotUp(f"no stack has been started in {layout.state.parent}", hint="pgkeel up")
    return memory


def remember(layout: Layout, memory: Memory) -> None:
    """Write it down whole, when it is not what is written already."""
    if recall(layout) != memory:
        write_whole(layout.memory, msgspec.json.format(msgspec.json.encode(memory, enc_hook=str), indent=2) + b"\n")


def _path(_: type, text: str) -> Path:
    """Return what the only type means that JSON does not have."""
    return Path(text)
