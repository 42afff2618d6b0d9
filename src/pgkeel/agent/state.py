"""The agent's own folder: files that survive `kill -9`, and a lock that does not.

agent/
├── lock          flock held by the agent's first process, which writes its pid into it
├── status.json   what `agent status` shows, replaced whole
├── runs.json     per job: what was due, started, completed
└── agent.log     JSON lines, rotated by size
"""

import fcntl
import os
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from pgkeel.core.errors import Refused
from pgkeel.core.files import write_whole

__all__ = ["AgentRuns", "AgentState", "StateLock", "is_locked", "read", "write"]

Content = TypeVar("Content", bound=msgspec.Struct)


class AgentRuns(Refused):
    """Another agent already works on this state folder."""

    code = "agent_runs"


class AgentState(msgspec.Struct, frozen=True):
    """The paths of one agent.

    Attributes:
        folder: The agent's folder, 0700.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """The file that the agent holds locked while it lives."""
        return self.folder / "lock"

    @property
    def status(self) -> Path:
        """What `agent status` shows."""
        return self.folder / "status.json"

    @property
    def runs(self) -> Path:
        """What each job did last."""
        return self.folder / "runs.json"

    @property
    def log(self) -> Path:
        """The structured log."""
        return self.folder / "agent.log"

    @property
    def output(self) -> Path:
        """What a spawned agent says before its log is open."""
        return self.folder / "agent.out"

    def make(self) -> None:
        """Make the folder where it is missing, readable by its owner alone."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


class StateLock:
    """The lock of a state folder, held while the block runs; the kernel lets go of it however the process ends."""

    def __init__(self, file: Path) -> None:
        """Name the lock's file."""
        self._file = file
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock and write our pid.

        Raises:
            AgentRuns: Another process holds it.
        """
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise AgentRuns(f"an agent already works in {self._file.parent}", hint="`pgkeel agent status`") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor: a forked child closes it, so that it does not hold the lock on."""
        return self._descriptor


def is_locked(file: Path) -> int | None:
    """Return the pid of the process that holds the lock, or None when nobody does.

    A pid that a killed process left behind is not believed: only the kernel's lock is.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(descriptor, 20, 0) or b"0")
    else:
        return None
    finally:
        os.close(descriptor)


def read(file: Path, kind: type[Content]) -> Content | None:
    """Return a file's content; None when it is missing or a fault left nothing readable."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def write(file: Path, content: msgspec.Struct) -> None:
    """Replace a file whole: a kill leaves the old content or the new."""
    write_whole(file, msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=2) + b"\n")
