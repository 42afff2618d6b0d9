"""A PostgreSQL server of our own: made, started, killed, promoted; any number of them side by side."""

import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from pgkeel.core.errors import NotFound
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import postmaster
from pgkeel.local.account import Account
from pgkeel.local.configuration import access_lines, configuration_text
from pgkeel.local.files import locked, write_file, write_private
from pgkeel.local.folders import make_folder, private_folder, socket_folder
from pgkeel.local.initdb import initialise, major_of, require_major
from pgkeel.local.ports import is_free, settle_port
from pgkeel.local.postmaster import ServerFailed
from pgkeel.local.runtime import Runtime
from pgkeel.local.standby import copy_primary
from pgkeel.postgres import connect, identifier, load

__all__ = ["SUPERUSER", "Cluster", "TlsFiles"]

SUPERUSER = "postgres"
_ATTEMPTS = 3


class TlsFiles(msgspec.Struct, frozen=True):
    """What the server shows and trusts; copied to where only it reads them, so the originals may stay private.

    Attributes:
        certificate: The server's certificate, PEM.
        key: Its private key, PEM.
        authority: The authority's certificate, PEM; never its key.
    """

    certificate: Path
    key: Path
    authority: Path


class Plan(msgspec.Struct, frozen=True):
    """Everything that a cluster is started with.

    Attributes:
        directory: Its folder: `data/`, `conf/`, `log/`, `cluster.json`.
        runtime: The programs.
        account: Who owns the data and runs the server.
        name: `cluster_name`, shown by ps(1).
        port: 0 chooses a free one and remembers it.
        settings: Settings of postgresql.conf, which win over ours except for places and listeners.
        access: Lines of pg_hba.conf; None gives SCRAM everywhere and the superuser on the socket alone.
        tls: Certificate and key; None serves without TLS.
        superuser_password: Of the bootstrap superuser `postgres`.
    """

    directory: Path
    runtime: Runtime
    account: Account
    name: str
    port: int
    settings: Mapping[str, str]
    access: Sequence[str] | None
    tls: TlsFiles | None
    superuser_password: Secret


class Memory(msgspec.Struct, frozen=True):
    """What `cluster.json` remembers between runs.

    Attributes:
        port: Where it listened last.
        version: What was started last.
    """

    port: int = 0
    version: str = ""


class Cluster:
    """One data directory and its server. As a context manager it runs inside the block."""

    def __init__(self, plan: Plan) -> None:
        """Take the plan; `create` and `open` make one."""
        self.plan = plan
        self._directory = plan.directory
        self._account = plan.account

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        runtime: Runtime,
        account: Account,
        superuser_password: Secret,
        name: str = "main",
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        access: Sequence[str] | None = None,
        tls: TlsFiles | None = None,
    ) -> Self:
        """Return the cluster of a folder, its data directory made where there is no complete one; `Plan` explains the arguments.

        A data directory that is complete is never touched; its superuser keeps the password that it has.

        Raises:
            OtherMajor: The data directory belongs to another major.
            FolderNotWritable: The folder cannot be written.
            Failed: initdb said no.
        """
        plan = Plan(directory, runtime, account, name, port, settings or {}, access, tls, superuser_password)
        cluster = cls(plan)
        make_folder(directory)
        with locked(directory):
            if not cluster.data.exists():
                initialise(cluster.data, runtime=runtime, account=account, password=superuser_password, settings=plan.settings)
        require_major(cluster.data, runtime)
        return cluster

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        runtime: Runtime,
        account: Account,
        superuser_password: Secret,
        name: str = "main",
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        access: Sequence[str] | None = None,
        tls: TlsFiles | None = None,
    ) -> Self:
        """Return the cluster that `create` made in a folder; `Plan` explains the arguments.

        Raises:
            NotFound: There is no complete data directory.
            OtherMajor: The data directory belongs to another major.
        """
        cluster = cls(Plan(directory, runtime, account, name, port, settings or {}, access, tls, superuser_password))
        if not cluster.exists(directory):
            raise NotFound(f"there is no data directory in {directory}", hint="`pgkeel up` makes one")
        require_major(cluster.data, runtime)
        return cluster

    @classmethod
    def create_standby(
        cls,
        directory: Path,
        *,
        primary: Url,
        runtime: Runtime,
        account: Account,
        superuser_password: Secret,
        slot: str | None = None,
        name: str = "standby",
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        access: Sequence[str] | None = None,
        tls: TlsFiles | None = None,
    ) -> Self:
        """Return a standby that follows a running primary, copied where there is no complete data directory.

        Args:
            directory: Its folder.
            primary: Address and login for the copy and for following: a role with REPLICATION.
            runtime: The programs, of the primary's major.
            account: Who owns the data and runs the server.
            superuser_password: The primary's, which the copy keeps.
            slot: Replication slot to create and use.
            name: As for `Plan`.
            port: As for `Plan`.
            settings: As for `Plan`; limits such as max_connections must not be lower than the primary's.
            access: As for `Plan`.
            tls: As for `Plan`.

        Raises:
            Failed: pg_basebackup said no.
        """
        cluster = cls(Plan(directory, runtime, account, name, port, settings or {}, access, tls, superuser_password))
        folder = make_folder(directory / "conf")
        with locked(directory):
            if not cluster.data.exists():
                copy_primary(cluster.data, primary=primary, runtime=runtime, account=account, folder=folder, slot=slot)
        require_major(cluster.data, runtime)
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
        """Start the server unless it runs, after repairing what a kill left behind.

        Raises:
            PortBusy: The configured port is used by another program.
            UnsafeFolder: The socket folder is a link or somebody else's.
            OtherMajor: The data directory belongs to another major.
            ServerFailed: It did not become ready; the message carries what it said.
        """
        with locked(self._directory):
            if self.is_running:
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

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Write the configuration anew and let the server read it; certificates are renewed this way."""
        pid = self.pid
        if pid is not None:
            self._configure(self.port)
            postmaster.send(pid, signal.SIGHUP)

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
            self._configure(port)
            try:
                self._launch_once(wait)
            except ServerFailed:
                if self.plan.port or is_free(port) or attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _launch_once(self, wait: timedelta) -> None:
        configuration = self._directory / "conf" / "postgresql.conf"
        log = self._directory / "start.log"
        plan = self.plan
        postmaster.launch(self.data, runtime=plan.runtime, account=plan.account, configuration=configuration, log=log, wait=wait)

    def _configure(self, port: int) -> None:
        """Write the configuration and remember the port and the release."""
        folder = make_folder(self._directory / "conf")
        tls = self.plan.tls
        if tls:
            write_file(folder / "server.crt", tls.certificate.read_bytes())
            write_file(folder / "authority.crt", tls.authority.read_bytes())
            write_private(folder / "server.key", tls.key.read_bytes(), self._account, shared=True)
        lines = access_lines(has_tls=tls is not None) if self.plan.access is None else self.plan.access
        write_file(folder / "pg_hba.conf", "# written by pgkeel at every start\n" + "\n".join(lines) + "\n")
        write_file(folder / "postgresql.conf", self._configuration(port, folder))
        memory = Memory(port, self.version if self.is_running else self.plan.runtime.version)
        write_file(self._directory / "cluster.json", msgspec.json.encode(memory))

    def _configuration(self, port: int, folder: Path) -> str:
        places = {"port": str(port), "unix_socket_directories": str(self.socket), "log_directory": str(self.log)}
        places["cluster_name"] = self.plan.name
        plan = self.plan
        return configuration_text(
            runtime=plan.runtime,
            data=self.data,
            folder=folder,
            places=places,
            settings=plan.settings,
            has_tls=plan.tls is not None,
        )

    def _memory(self) -> Memory:
        try:
            return msgspec.json.decode((self._directory / "cluster.json").read_bytes(), type=Memory)
        except (FileNotFoundError, msgspec.DecodeError):
            return Memory()
