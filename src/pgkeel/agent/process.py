"""Start the agent in the background, stop it, and keep it alive: a small parent process that starts the worker again."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from pgkeel.agent.leash import die_with_parent
from pgkeel.agent.report import Status, status
from pgkeel.agent.state import AgentState, StateLock, is_locked
from pgkeel.agent.stopping import Stopping
from pgkeel.core.clock import monotonic, sleep
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger

__all__ = ["NotStarted", "restart_delay", "spawn", "stop", "supervise"]

log = get_logger(__name__)

_POLL = timedelta(milliseconds=50)
_FIRST_DELAY, _LAST_DELAY = 0.1, 5.0
_HEALTHY_AFTER = 60.0
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class NotStarted(KeelError):
    """The agent ended before it worked."""

    code = "agent_not_started"


def spawn(argv: Sequence[str], state: Path, *, timeout: timedelta = timedelta(minutes=1)) -> Status:
    """Start the agent in the background and return its status once it works; where one works already, return that.

    Args:
        argv: The command that runs the agent in the foreground, `… agent run`.
        state: The agent's folder.
        timeout: How long it may take to come up.

    Raises:
        NotStarted: It ended or did not come up; the message carries its last line.
    """
    folder = AgentState(state)
    folder.make()
    if is_locked(folder.lock) is not None:
        return status(state)
    folder.status.unlink(missing_ok=True)
    with folder.output.open("wb") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    started = _await_start(child, folder, timeout)
    threading.Thread(target=child.wait, name="reap the agent", daemon=True).start()  # no zombie while we live
    return started


def _await_start(child: "subprocess.Popen[bytes]", folder: AgentState, timeout: timedelta) -> Status:
    until = monotonic() + timeout.total_seconds()
    while monotonic() < until:
        if is_locked(folder.lock) is not None and folder.status.exists():
            return status(folder.folder)
        if child.poll() is not None:
            raise NotStarted(f"the agent ended with code {child.returncode}: {_last_line(folder)}", hint=f"see {folder.log}")
        sleep(_POLL)
    child.terminate()
    child.wait()
    raise NotStarted(f"the agent did not start within {timeout.total_seconds():.0f} s", hint=f"see {folder.log}")


def _last_line(folder: AgentState) -> str:
    lines = folder.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[0] if lines else "it said nothing"


def stop(state: Path, *, timeout: timedelta = timedelta(seconds=15)) -> bool:
    """Stop the agent of a state folder, in good order, then by force; return whether one ran.

    Args:
        state: The agent's folder.
        timeout: How long its jobs may take to end before everything is killed.
    """
    lock = AgentState(state).lock
    pid = is_locked(lock)
    if pid is None:
        return False
    for sign, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, timedelta(seconds=5))):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        if _await_end(lock, patience):
            return True
    raise KeelError(f"the agent (process {pid}) does not end", hint=f"kill -9 {pid}")


def _await_end(lock: Path, patience: timedelta) -> bool:
    until = monotonic() + patience.total_seconds()
    while is_locked(lock) is not None:
        if monotonic() > until:
            return False
        sleep(_POLL)
    return True


def restart_delay(failures: int) -> timedelta:
    """Return how long to wait before something is started again: 0.1 s doubling to 5 s, jittered so that many do not meet."""
    ceiling = min(_LAST_DELAY, _FIRST_DELAY * 2 ** min(failures, 10))
    return timedelta(seconds=random.uniform(max(_FIRST_DELAY, ceiling / 2), ceiling))  # noqa: S311 - spreads load, guards nothing  # nosec B311


def supervise(work: Callable[[], int], state: Path) -> int:
    """Run `work` in a child process, again whenever it dies, until it ends with 0 or 2 or we are told to stop.

    The child dies with us, and its own children with it. The state folder is locked meanwhile.

    Args:
        work: What the child runs; returns its exit code. 2 means that starting again cannot help (wrong configuration).
        state: The agent's folder.

    Raises:
        AgentRuns: Another agent works on the folder.
    """
    folder = AgentState(state)
    folder.make()
    with StateLock(folder.lock) as lock:
        return _Supervisor(work, lock).run()


class _Supervisor:
    """The parent: forks the worker, hands signals on, starts it again."""

    def __init__(self, work: Callable[[], int], lock: StateLock) -> None:
        self._work = work
        self._lock = lock
        self._child = 0
        self._stopping = Stopping()

    def run(self) -> int:
        for sign in _SIGNALS:
            signal.signal(sign, self._on_signal)
        failures = 0
        while not self._stopping.is_set():
            started = monotonic()
            code = self._run_child()
            if code in {0, 2} or self._stopping.is_set():
                return max(code, 0)
            failures = 0 if monotonic() - started > _HEALTHY_AFTER else failures + 1
            log.error("agent.died", code=code, failures=failures)
            self._stopping.wait(restart_delay(failures).total_seconds())
        return 0

    def _run_child(self) -> int:
        parent = os.getpid()
        with _blocked_signals():
            if self._stopping.is_set():
                return 0
            self._child = os.fork()
            if self._child == 0:
                self._become_worker(parent)
        _, wait_status = os.waitpid(self._child, 0)
        self._child = 0
        return os.waitstatus_to_exitcode(wait_status)

    def _become_worker(self, parent: int) -> None:
        code = 70
        try:
            for sign in _SIGNALS:
                signal.signal(sign, signal.SIG_DFL)
            die_with_parent(parent)
            os.close(self._lock.fileno())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = self._work()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _on_signal(self, _sign: int, _frame: object) -> None:
        self._stopping.set()
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Hold signals back while the child's number is not known yet; none is lost, none goes to nobody."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
