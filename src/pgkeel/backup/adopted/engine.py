"""What is asked of another tool's program: which backups it has, to take one, to check them, to restore one, and for WAL."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pgkeel.backup.planning import Wish
from pgkeel.backup.records import Record
from pgkeel.backup.tools import ToolFailed
from pgkeel.core.url import masked

__all__ = ["Engine", "Fault", "Program", "said_of"]

_TAIL = 600


class Fault(msgspec.Struct, frozen=True):
    """Something that the tool's own check found; a password that it says is left out.

    Attributes:
        object: What it is about.
        reason: What is wrong with it.
    """

    object: str
    reason: str

    def __post_init__(self) -> None:
        """Mask the reason, whichever tool gave it."""
        msgspec.structs.force_setattr(self, "reason", masked(self.reason))


class Engine(Protocol):
    """A tool that takes backups of one cluster."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def backups(self) -> tuple[Record, ...]:
        """Return its finished backups, oldest first; they have no parts, because they lie elsewhere.

        Raises:
            ToolFailed: It cannot be run, or says something else than it is known to.
        """
        ...

    def take(self, wish: Wish) -> None:
        """Take a backup."""
        ...

    def faults(self) -> tuple[Fault, ...]:
        """Return what its own checks find."""
        ...

    def restore(self, backup: str, destination: Path) -> None:
        """Restore a backup, and all that it builds on, into an empty folder; its WAL is asked for with `segment`.

        Raises:
            NotRestorable: It would write somewhere else too.
        """
        ...

    def segment(self, name: str, destination: Path) -> bool:
        """Write a closed segment of WAL, and return whether it has it."""
        ...


class Program(msgspec.Struct, frozen=True):
    """How the tool is run.

    Attributes:
        argv: The command, for example `barman -c FILE`.
    """

    argv: Sequence[str]

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
        """Return how it ended and what it said.

        Raises:
            ToolFailed: There is no such program.
        """
        try:
            return subprocess.run([*self.argv, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as err:
            hint = "write the command that runs it as [backup] engine_command"
            raise ToolFailed(f"{self.argv[0]} cannot be run: {err.strerror}", hint=hint) from err

    def ask(self, *arguments: str | Path) -> bytes:
        """Return what it says on stdout.

        Raises:
            ToolFailed: It ended with another code than 0.
        """
        done = self.run(*arguments)
        if done.returncode:
            said, words = said_of(done)[-_TAIL:], " ".join(map(str, arguments))
            raise ToolFailed(f"{self.argv[0]} {words} ended with {done.returncode}: {said}", hint="run it by hand")
        return done.stdout

    def json(self, *arguments: str | Path) -> Any:  # noqa: ANN401 - each tool has its own
        """Return what it says as JSON."""
        return self.decoded(self.ask(*arguments))

    def decoded(self, said: bytes) -> Any:  # noqa: ANN401 - as above
        """Return what it said, which is JSON.

        Raises:
            ToolFailed: It is not.
        """
        try:
            return msgspec.json.decode(said)
        except msgspec.DecodeError as err:
            words = masked(said.decode(errors="replace"))[:80]
            raise ToolFailed(f"{self.argv[0]} did not answer in JSON: {words!r}", hint="is it a release that can?") from err


def said_of(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return what a program said of its failure, without the passwords in it: a tool shows its addresses as they are."""
    return masked((done.stderr.strip() or done.stdout.strip()).decode(errors="replace"))
