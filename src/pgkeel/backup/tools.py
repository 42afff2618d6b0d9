"""PostgreSQL's own programs, which do all the copying: the newest client's, and those of the server's own major."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

import msgspec

from pgkeel.core.errors import KeelError, NotFound

__all__ = ["Programs", "Spawn", "ToolFailed", "Tools", "giving_way", "start", "tool"]

_TAIL = 1000
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # nothing is taken from the caller's


class ToolFailed(KeelError):
    """One of PostgreSQL's programs failed."""

    code = "tool_failed"


class Tools(msgspec.Struct, frozen=True):
    """The programs of one release.

    Attributes:
        major: For example 17.
        minor: For example 11.
        folder: Their `bin` folder.
        environment: What they need in their environment.
    """

    major: int
    minor: int
    folder: Path
    environment: Mapping[str, str] = {}

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment that a program is run with."""
        return {**_ENVIRONMENT, **self.environment}

    def program(self, name: str) -> Path:
        """Return the path of a program.

        Raises:
            NotFound: This release lacks it.
        """
        path = self.folder / name
        if not path.is_file():
            raise NotFound(f"{self.folder} has no {name}", hint=f"`pgkeel local add {self.major}` brings all of them")
        return path


class Programs(msgspec.Struct, frozen=True):
    """Which release does what (measured: a newer client backs up an older server, but only its own major combines).

    Attributes:
        client: The newest one that is installed: pg_basebackup and pg_receivewal.
        server: The server's own major: pg_waldump, pg_combinebackup, pg_verifybackup, pg_amcheck, postgres.
    """

    client: Tools
    server: Tools


class Spawn(Protocol):
    """How a long-lived child is started: by itself, or by the agent, whose children die with it."""

    def __call__(
        self, argv: Sequence[str], *, env: Mapping[str, str], stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        """Start it in a process group of its own, with nothing on stdin."""
        ...


def start(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: int | IO[bytes], stderr: int | IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start a child; see `Spawn`."""
    return subprocess.Popen(
        list(argv), env=dict(env), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )


@contextmanager
def giving_way() -> Iterator[None]:
    """Let this thread, with the threads and programs that it starts in the block, take no processor from who is at work there.

    The server makes a backup; each of its pieces wakes who carries it away, which would stop the server just then.
    Linux's SCHED_BATCH: as much of the processor, a little later. Elsewhere, and where it is not allowed, nothing is changed.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def tool(tools: Tools, name: str, *arguments: str | Path, timeout: float | None = None) -> str:
    """Run a program to its end and return its stdout.

    Args:
        tools: Of which release.
        name: Which program.
        *arguments: Everybody on the machine can read them, so nothing secret may be among them.
        timeout: Seconds after which it is killed.

    Raises:
        ToolFailed: It ended with another code than 0; the message carries the end of its stderr.
    """
    argv = [str(tools.program(name)), *map(str, arguments)]
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            argv,
            env=tools.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise ToolFailed(f"{name} could not run: {err}", hint="`pgkeel doctor` looks for the cause") from err
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
        raise ToolFailed(f"{name} failed with code {done.returncode}: {said}", hint="`pgkeel doctor` looks for the cause")
    return done.stdout
