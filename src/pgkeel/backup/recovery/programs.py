"""Run PostgreSQL's programs where it matters how they end, or where what they say is too much for memory."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pgkeel.backup.tools import Tools

__all__ = ["Ended", "outcome", "streamed"]


class Ended(msgspec.Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: Its exit code.
        said: What it wrote on stderr, or on stdout where that is empty.
    """

    code: int
    said: str


def outcome(tools: Tools, name: str, arguments: Sequence[str | Path]) -> Ended:
    """Run a program to its end and return how it ended."""
    argv = [str(tools.program(name)), *map(str, arguments)]
    done = subprocess.run(
        argv, env=tools.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return Ended(done.returncode, done.stderr.strip() or done.stdout.strip())


@contextmanager
def streamed(tools: Tools, name: str, arguments: Sequence[str | Path]) -> Iterator[Iterator[str]]:
    """Yield the lines of a program's stdout while it runs; how it ended is not looked at, and leaving the block ends it."""
    argv = [str(tools.program(name)), *map(str, arguments)]
    silent = subprocess.DEVNULL
    child = subprocess.Popen(
        argv, env=tools.variables, stdin=silent, stdout=subprocess.PIPE, stderr=silent, text=True, errors="replace"
    )
    try:
        yield iter(child.stdout or ())
    finally:
        child.kill()
        child.communicate()
