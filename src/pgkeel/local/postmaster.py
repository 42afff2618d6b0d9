"""The server process of a data directory: its number, its start, its end, and the repair of what a kill left behind."""

import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from pgkeel.core.errors import KeelError
from pgkeel.local.account import Account
from pgkeel.local.alive import end_orphans, is_server, send, wait_until
from pgkeel.local.files import open_log, tail
from pgkeel.local.launch import reap, spawn
from pgkeel.local.plan import Plan

__all__ = ["ServerFailed", "await_ready", "launch", "repair", "running_pid", "stop"]

_READY = {"ready", "standby"}
_GRAVE = ("LOG:  invalid", "ERROR:", "FATAL:", "PANIC:", "could not")


class ServerFailed(KeelError):
    """A server did not start or did not stop."""

    code = "server_failed"
    exit_code = 3


def running_pid(data: Path, account: Account) -> int | None:
    """Return the number of the postmaster that serves the data directory, or None."""
    pid = _noted_pid(data)
    return pid if pid is not None and is_server(pid, account, data) else None


def repair(data: Path, account: Account, sockets: Path) -> None:
    """Remove what a killed server left: children of a dead postmaster, its pid file, its sockets. Call only while none runs.

    PostgreSQL believes a pid file whose number lives again as another program or as a zombie, and would refuse to start.
    """
    end_orphans(account, data)
    (data / "postmaster.pid").unlink(missing_ok=True)
    for left in sockets.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)


def launch(plan: Plan, data: Path, configuration: Path, *, log: Path, wait: timedelta) -> None:
    """Start the server and return once it accepts connections.

    Raises:
        ServerFailed: It ended, or was not ready in time; the message carries the end of its logs.
    """
    arguments: Sequence[str | Path] = [plan.runtime.program("postgres"), "-D", data, "-c", f"config_file={configuration}"]
    with open_log(log) as output:
        pid = spawn(plan.account, arguments, output=output, environment=plan.runtime.environment)
    await_ready(pid, data, lambda: reap(pid), log=log, wait=wait)


def await_ready(pid: int, data: Path, has_ended: Callable[[], bool], *, log: Path, wait: timedelta) -> None:
    """Return once the server accepts connections; recovery after a crash may take its time.

    Raises:
        ServerFailed: It ended, or was not ready in time.
    """
    ended = False

    def settled() -> bool:
        nonlocal ended
        ended = has_ended()
        return ended or _status(data, pid) in _READY

    if not wait_until(settled, wait):
        raise ServerFailed(f"PostgreSQL is not ready after {wait}", hint=f"it is still starting: see {log}")
    if ended:
        raise ServerFailed(f"PostgreSQL did not start: {_reason(log)}", hint=f"see {log}")


def stop(pid: int, data: Path, account: Account, *, number: signal.Signals, wait: timedelta) -> bool:
    """Send a signal to the postmaster and return whether it ended in time."""
    send(pid, number)
    return wait_until(lambda: not is_server(pid, account, data), wait)


def _noted_pid(data: Path) -> int | None:
    lines = _pid_file(data)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def _status(data: Path, pid: int) -> str:
    """Return line 8 of the pid file (`ready`, `starting` …), when it is this server's."""
    lines = _pid_file(data)
    return lines[7].strip() if len(lines) > 7 and lines[0] == str(pid) else ""


def _pid_file(data: Path) -> list[str]:
    try:
        with (data / "postmaster.pid").open(encoding="utf-8", errors="replace") as file:
            return file.read(4096).splitlines()
    except OSError:
        return []


def _reason(log: Path) -> str:
    """Return the last thing that the server said, in its own log folder or on stderr."""
    folder = log.parent / "log"
    newest = max(folder.glob("*.log"), key=lambda file: file.stat().st_mtime, default=None) if folder.is_dir() else None
    said = [line for source in (log, newest) if source for line in tail(source).splitlines()]
    grave = [line.partition("]")[2].strip() or line for line in said if any(word in line for word in _GRAVE)]
    return "; ".join(grave[:3]) or (said or ["it said nothing"])[-1]
