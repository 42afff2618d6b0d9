"""Run PostgreSQL's programs where it matters how they end, or where what they say is too much for memory."""

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from pgkeel.backup.tools import Tools

__all__ = ["Ended", "Told", "outcome", "streamed"]

_PROGRESS = re.compile(r"(\d+)/ *(\d+) (kB|MB|pages) ")
_BYTES = {"kB": 1 << 10, "MB": 1 << 20, "pages": 8 << 10}

Told = Callable[[int, int], None]
"""Hears how many bytes were read, of how many."""


class Ended(msgspec.Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: Its exit code.
        said: What it wrote on stderr, or on stdout where that is empty.
    """

    code: int
    said: str


def outcome(tools: Tools, name: str, arguments: Sequence[str | Path], told: Told | None = None) -> Ended:
    """Run a program to its end and return how it ended; `told` is for one that takes `--progress`."""
    argv = [str(tools.program(name)), *map(str, arguments)]
    if told is not None:
        return _told_outcome(tools, [*argv, "--progress"], told)
    done = subprocess.run(
        argv, env=tools.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return Ended(done.returncode, done.stderr.strip() or done.stdout.strip())


def _told_outcome(tools: Tools, argv: Sequence[str], told: Told) -> Ended:
    with TemporaryFile("w+", errors="replace") as found:
        child = subprocess.Popen(
            argv, env=tools.variables, stdin=subprocess.DEVNULL, stdout=found, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        try:
            said = _without_progress(child.stderr or (), told)
            child.wait()
        finally:
            child.kill()
            child.communicate()
        found.seek(0)
        return Ended(child.returncode, "".join(said).strip() or found.read().strip())


def _without_progress(lines: Iterable[str], told: Told) -> list[str]:
    kept: list[str] = []
    for line in lines:
        progress = _PROGRESS.findall(line)
        if progress:
            done, total, unit = progress[-1]
            told(int(done) * _BYTES[unit], int(total) * _BYTES[unit])
        else:
            kept.append(line)
    return kept


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
