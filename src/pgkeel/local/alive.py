"""Whether a process number still means our server: numbers are reused, and a zombie answers to signals."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pgkeel.core import clock
from pgkeel.local.account import Account
from pgkeel.local.launch import reap

__all__ = ["end_orphans", "is_server", "send", "wait_until"]

_PROC = Path("/proc")


def is_server(pid: int, account: Account, directory: Path) -> bool:
    """Return whether `pid` lives, belongs to the account and works in `directory`, as PostgreSQL and Valkey do.

    The number comes from a file that the account may write, so it is believed only together with all three.
    """
    look = _by_proc if sys.platform == "linux" else _by_lsof
    lives = look(pid, account, directory)
    if not lives:
        reap(pid)
    return lives


def send(pid: int, signal_number: int) -> None:
    """Send a signal; a process that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_number)


def wait_until(condition: Callable[[], bool], limit: timedelta, *, every: timedelta = timedelta(milliseconds=10)) -> bool:
    """Ask until the condition holds or the time is over, and return whether it holds."""
    deadline = clock.monotonic() + limit.total_seconds()
    while not condition():
        if clock.monotonic() > deadline:
            return False
        clock.sleep(every)
    return True


def end_orphans(account: Account, directory: Path) -> None:
    """End the processes that a killed postmaster left behind: they hold its shared memory, and a new one would refuse it.

    They notice its death themselves unless they are busy; SIGQUIT is what the postmaster would have sent, SIGKILL follows.
    """
    for number, patience in ((signal.SIGQUIT, 2), (signal.SIGKILL, 5)):
        orphans = _living(account, directory)
        for pid in orphans:
            send(pid, number)
        if not orphans or wait_until(lambda: not _living(account, directory), timedelta(seconds=patience)):
            return


def _living(account: Account, directory: Path) -> list[int]:
    if sys.platform != "linux":
        return []
    numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    return [pid for pid in numbers if _by_proc(pid, account, directory)]


def _by_proc(pid: int, account: Account, directory: Path) -> bool:
    try:
        if (_PROC / str(pid)).stat().st_uid != account.uid:
            return False
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        return state not in {"Z", "X"} and (_PROC / str(pid) / "cwd").samefile(directory)
    except (OSError, IndexError):
        return False


def _by_lsof(pid: int, account: Account, directory: Path) -> bool:
    """Ask lsof(8), which macOS brings, for owner and working directory."""
    asked = ["lsof", "-a", "-p", str(pid), "-d", "cwd", "-F", "un"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    owner = re.search(r"^u(\d+)$", answer, re.MULTILINE)
    place = re.search(r"^n(.+)$", answer, re.MULTILINE)
    return bool(owner and place) and int(owner[1]) == account.uid and Path(place[1]) == directory.resolve()  # type: ignore[index]
