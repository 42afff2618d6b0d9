"""What a job or service may touch, held so that another thread can take it all away: connections and child processes."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import IO, Literal

import psycopg

from pgkeel.agent.leash import command_on_leash
from pgkeel.core.errors import KeelError
from pgkeel.postgres import Connection

__all__ = ["Cancelled", "Connector", "Reach", "Role"]

Role = Literal["owner", "app", "readonly", "monitor"]
Connector = Callable[[Role], Connection]

_PATIENCE = 1.0  # seconds that the server may take to hear a cancel request


class Cancelled(KeelError):
    """The work was cancelled."""

    code = "cancelled"


class Reach:
    """The connections and processes of one piece of work; `cancel` may be called from any thread.

    Attributes:
        works: Whether the work has proved that it does what it is for.
    """

    def __init__(self, connector: Connector) -> None:
        """Reach the database through `connector`."""
        self._connector = connector
        self._connections: list[Connection] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()
        self._cancelled = threading.Event()
        self._reason = ""
        self.works = False
        self._proof = threading.Event()

    def prove(self) -> None:
        """Say that the work does what it is for: a service that failed before has recovered."""
        self.works = True
        self._proof.set()

    def take_proof(self) -> bool:
        """Return whether it was said since this was asked last."""
        said = self._proof.is_set()
        self._proof.clear()
        return said

    @property
    def reason(self) -> str | None:
        """Why it was cancelled, or None."""
        return self._reason if self._cancelled.is_set() else None

    def connect(self, role: Role) -> Connection:
        """Return a connection of a role; it is cancelled with the work and closed after it.

        Raises:
            Unreachable: The database does not answer.
            Cancelled: The work was cancelled meanwhile.
        """
        self.check()
        connection = self._connector(role)
        with self._guard:
            self._connections.append(connection)
        self.check()
        return connection

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> "subprocess.Popen[bytes]":
        """Start a child process; it dies with the work, and with the agent.

        Args:
            argv: The program and its arguments.
            env: Its environment; ours when not given.
            stdout: Where its output goes; nowhere when not given.
            stderr: Where its errors go; nowhere when not given.

        Returns:
            The process, leader of its own group.
        """
        self.check()
        command = command_on_leash(list(argv))
        child = subprocess.Popen(
            command,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        with self._guard:
            self._processes.append(child)
        self.check()
        return child

    def check(self) -> None:
        """Return while the work may go on.

        Raises:
            Cancelled: It may not.
        """
        if self._cancelled.is_set():
            raise Cancelled(self._reason)

    def wait(self, duration: timedelta) -> None:
        """Wait; a cancellation ends it.

        Raises:
            Cancelled: The work was cancelled meanwhile.
        """
        self._cancelled.wait(duration.total_seconds())
        self.check()

    def cancel(self, reason: str) -> None:
        """Take everything away: statements are cancelled on the server, sockets shut, processes killed with their groups."""
        self._reason = self._reason or reason
        self._cancelled.set()
        with self._guard:
            connections, processes = list(self._connections), list(self._processes)
        for child in processes:
            _kill(child)
        for connection in connections:
            _cut(connection)

    def close(self) -> None:
        """Close and reap what is left, from the thread that did the work."""
        with self._guard:
            connections, processes = self._connections, self._processes
            self._connections, self._processes = [], []
        for connection in connections:
            connection.close()
        for child in processes:
            _kill(child)
            child.wait()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _cut(connection: Connection) -> None:
    """End a connection that another thread may be waiting on: only the socket is touched, libpq is not thread-safe."""
    with suppress(psycopg.Error, OSError):
        connection.cancel_safe(timeout=_PATIENCE)
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
