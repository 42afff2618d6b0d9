"""A PostgreSQL server of our own: made, started, killed, promoted; any number of them side by side."""

import shutil
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import msgspec
import psycopg

from pgkeel.core.errors import NotFound
from pgkeel.core.url import Url
from pgkeel.local import postmaster
from pgkeel.local.alive import send
from pgkeel.local.configuration import write_configuration
from pgkeel.local.files import locked, write_file
from pgkeel.local.folders import make_folder, private_folder, socket_folder
from pgkeel.local.initdb import initialise, major_of, require_major
from pgkeel.local.plan import Memory, Plan, PlanFields
from pgkeel.local.ports import is_free, settle_port
from pgkeel.local.postmaster import ServerFailed
from pgkeel.local.standby import copy_primary
from pgkeel.postgres import connect, identifier, load

__all__ = ["SUPERUSER", "Cluster"]

SUPERUSER = "postgres"
_ATTEMPTS = 3


class Cluster:
    """One data directory and its server. As a context manager it runs inside the block."""

    def __init__(self, plan: Plan) -> None:
        """Take the plan; `create` and `open` make one."""
        self.plan = plan
        self._directory = plan.directory
        self._account = plan.account

    @classmethod
    def create(cls, directory: Path, **fields: Unpack[PlanFields]) -> Self:
        """Return the cluster of a folder, its data directory made where there is no complete one.

        A complete data directory is never touched; its superuser keeps the password that it has.

        Args:
            directory: Its folder.
            **fields: Those of `Plan`.

        Raises:
            OtherMajor: The data directory belongs to another major.
            FolderNotWritable: The folder cannot be written.
            Failed: initdb said no.
        """
        plan = Plan(directory=make_folder(directory).resolve(), **fields)
        cluster = cls(plan)
        with locked(directory):
            if not cluster.data.exists():
                initialise(plan, cluster.data)
        require_major(cluster.data, plan.runtime)
        return cluster

    @classmethod
    def open(cls, directory: Path, **fields: Unpack[PlanFields]) -> Self:
        """Return the cluster that `create` made in a folder.

        Args:
            directory: Its folder.
            **fields: Those of `Plan`.

        Raises:
            NotFound: There is no complete data directory.
            OtherMajor: The data directory belongs to another major.
        """
        cluster = cls(Plan(directory=directory.resolve(), **fields))
        if not cluster.exists(directory):
            raise NotFound(f"there is no data directory in {directory}", hint="`pgkeel up` makes one")
        require_major(cluster.data, cluster.plan.runtime)
        return cluster

    @classmethod
    def create_standby(cls, directory: Path, *, primary: Url, slot: str | None = None, **fields: Unpack[PlanFields]) -> Self:
        """Return a standby that follows a running primary, copied where there is no complete data directory.

        Args:
            directory: Its folder.
            primary: Address and login for the copy and for following: a role with REPLICATION.
            slot: Replication slot to create and use, so that the primary keeps the WAL that the standby needs.
            **fields: Those of `Plan`; limits such as max_connections must not be lower than the primary's.

        Raises:
            Failed: pg_basebackup said no.
            FolderNotWritable: The folder cannot be written.
        """
        folder = make_folder(directory.resolve() / "conf")
        plan = Plan(directory=directory.resolve(), **fields)
        cluster = cls(plan)
        with locked(directory):
            if not cluster.data.exists():
                copy_primary(plan, cluster.data, primary=primary, folder=folder, slot=slot)
        require_major(cluster.data, plan.runtime)
        return cluster

    @staticmethod
    def exists(directory: Path) -> bool:
        """Return whether a complete data directory is in the folder."""
        return major_of(directory / "data") is not None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._directory / "data"

    @property
    def log(self) -> Path:
        """The folder of the server's log, a file for each day of the week."""
        return self._directory / "log"

    @property
    def socket(self) -> Path:
        """The folder of the unix socket."""
        return socket_folder(self._directory)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, also part of the socket's name; 0 before the first start."""
        return self._memory().port or self.plan.port

    @property
    def version(self) -> str:
        """The release that runs, or that `start` would run."""
        return (self._memory().version if self.is_running else "") or self.plan.runtime.version

    @property
    def pid(self) -> int | None:
        """The postmaster's process number, or None while it does not run."""
        return postmaster.running_pid(self.data, self._account)

    @property
    def is_running(self) -> bool:
        """Whether the postmaster lives; a zombie or another program with its number is not it."""
        return self.pid is not None

    def start(self, *, wait: timedelta = timedelta(minutes=5)) -> None:
        """Start the server unless it runs, after repairing what a kill left behind, and wait until it accepts connections.

        Raises:
            PortBusy: The configured port is used by another program.
            UnsafeFolder: The socket folder is a link or somebody else's.
            OtherMajor: The data directory belongs to another major.
            ServerFailed: It did not become ready; the message carries what it said.
        """
        with locked(self._directory):
            pid = self.pid
            if pid is not None:
                postmaster.await_ready(pid, self.data, lambda: not self.is_running, log=self._start_log, wait=wait)
                return
            require_major(self.data, self.plan.runtime)
            private_folder(self.socket, self._account)
            private_folder(self.log, self._account)
            postmaster.repair(self.data, self._account, self.socket)
            self._launch(wait)

    def stop(self, *, wait: timedelta = timedelta(minutes=1)) -> None:
        """Stop the server: sessions are ended, a checkpoint is written. Nothing happens when it does not run.

        Raises:
            ServerFailed: It still lives after `wait`, and after having been told to stop at once.
        """
        pid = self.pid
        for number in (signal.SIGINT, signal.SIGQUIT):
            if pid is None or postmaster.stop(pid, self.data, self._account, number=number, wait=wait):
                return
        raise ServerFailed(f"PostgreSQL (process {pid}) does not stop", hint=f"see {self.log}")

    def kill(self) -> None:
        """End the postmaster as a crash would (SIGKILL), so that the next start has to recover."""
        pid = self.pid
        if pid is not None:
            postmaster.stop(pid, self.data, self._account, number=signal.SIGKILL, wait=timedelta(seconds=10))

    def destroy(self) -> None:
        """Stop the server and delete its folder and its socket folder; no link is followed."""
        self.stop()
        for folder in (self.socket, self._directory):
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Write the configuration anew and let the server read it; certificates are renewed this way."""
        pid = self.pid
        if pid is not None:
            self._configure(self.port)
            send(pid, signal.SIGHUP)

    def promote(self) -> None:
        """Make a running standby a primary.

        Raises:
            ServerFailed: It did not become one within a minute.
        """
        with connect(self.superuser_url()) as connection:
            if not load(__name__, "promote").scalar(connection):
                raise ServerFailed(f"{self.plan.name} was not promoted within a minute", hint=f"see {self.log}")

    def superuser_url(self, database: str = "postgres") -> Url:
        """Return the address of the bootstrap superuser, on the socket: no line lets it in over TCP."""
        return Url(
            user=SUPERUSER, host=str(self.socket), port=self.port, database=database, password=self.plan.superuser_password
        )

    def create_database(self, name: str, *, template: str | None = None, owner: str | None = None) -> None:
        """Create a database, empty or as a copy of another one that nobody is connected to."""
        names = {"name": name, "template": template or "template1", "owner": owner or SUPERUSER}
        with connect(self.superuser_url()) as connection:
            load(__name__, "create_database").named(**{key: identifier(value) for key, value in names.items()}).run(connection)

    def ensure_database(self, name: str, *, owner: str | None = None) -> None:
        """Create an empty database unless it is there; the session of a killed program may be making it at this moment."""
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            self.create_database(name, owner=owner)

    def drop_database(self, name: str) -> None:
        """Drop a database and end its sessions; nothing happens when it does not exist."""
        with connect(self.superuser_url()) as connection:
            load(__name__, "drop_database").named(name=identifier(name)).run(connection)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _launch(self, wait: timedelta) -> None:
        """Start on the configured port, or on a chosen one, again when another program took that one meanwhile."""
        for attempt in range(1, _ATTEMPTS + 1):
            port = settle_port(self.plan.port, self._memory().port, setting="local.port")
            try:
                postmaster.launch(self.plan, self.data, self._configure(port), log=self._start_log, wait=wait)
            except ServerFailed:
                if self.plan.port or is_free(port) or attempt == _ATTEMPTS:
                    raise
            else:
                return

    @property
    def _start_log(self) -> Path:
        return self._directory / "start.log"

    def _configure(self, port: int) -> Path:
        """Write the configuration, remember the port and the release, and return the file that the server reads."""
        places = {"port": str(port), "unix_socket_directories": str(self.socket), "log_directory": str(self.log)}
        memory = Memory(port, self.version)
        write_file(self._directory / "cluster.json", msgspec.json.encode(memory))
        return write_configuration(self.plan, data=self.data, places=places)

    def _memory(self) -> Memory:
        try:
            return msgspec.json.decode((self._directory / "cluster.json").read_bytes(), type=Memory)
        except (FileNotFoundError, msgspec.DecodeError):
            return Memory()
