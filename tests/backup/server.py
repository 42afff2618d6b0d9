"""A server whose backups the tests take, and what takes them."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg.conninfo

from pgkeel.backup import Programs, Tools, relations_of
from pgkeel.backup.archiving import Archiver
from pgkeel.backup.receiving import Receiver, ensure_slot
from pgkeel.backup.spool import Spool
from pgkeel.backup.taking import Order, Taker
from pgkeel.backup.tools import Spawn, start
from pgkeel.core.repository import Repository
from pgkeel.local import Cluster, Runtime
from pgkeel.postgres import Connection, connect

__all__ = ["SLOT", "Server", "tools_of"]

SLOT = "receiver"


class Stop(Exception):
    """The test has seen enough."""


class Server:
    """A running cluster and a login for its backups."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.tools = tools_of(cluster.plan.runtime)
        self.passfile = folder / "passfile"
        password = cluster.plan.superuser_password.reveal().replace("\\", "\\\\").replace(":", "\\:")
        self.passfile.write_text(f"*:*:*:postgres:{password}\n")
        self.passfile.chmod(0o600)

    @property
    def address(self) -> str:
        keywords = self.cluster.superuser_url().keywords()
        keywords.pop("password")
        return psycopg.conninfo.make_conninfo("", **keywords, passfile=str(self.passfile))

    def connect(self) -> Connection:
        return connect(self.cluster.superuser_url())

    def run(self, statement: str, **values: Any) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode(), values or None)

    def order(self, repository: Repository, recipients: Sequence[str], **fields: Any) -> Order:
        return Order(
            repository=repository,
            recipients=recipients,
            programs=Programs(client=self.tools, server=self.tools),
            address=self.address,
            **{"holder": "test", **fields},
        )

    @contextmanager
    def taker(self, repository: Repository, recipients: Sequence[str], *, spawn: Spawn = start, **fields: Any) -> Iterator[Taker]:
        with self.connect() as connection:
            order = self.order(repository, recipients, **fields)
            yield Taker(order, connection, relations=lambda: relations_of(connection), spawn=spawn)

    def system(self) -> str:
        with self.connect() as connection:
            row = connection.execute("SELECT system_identifier::text AS system FROM pg_control_system()").fetchone()
            assert row is not None
            return str(row["system"])

    def spool(self) -> Spool:
        spool = Spool(self.folder / "wal" / self.system())
        spool.make(self.cluster.plan.runtime.major)
        return spool

    def archiver(self, spool: Spool, repository: Repository, recipients: Sequence[str]) -> Archiver:
        return Archiver(spool, spool.folder.name, repository, recipients, self.tools)

    def receive(self, spool: Spool, until: Callable[[], bool], *, spawn: Spawn = start) -> None:
        """Receive WAL until something holds, as the agent would."""
        with self.connect() as connection:
            ensure_slot(connection, SLOT)
        looks = 0

        def wait(duration: timedelta) -> None:
            nonlocal looks
            looks += 1
            if until():
                raise Stop
            assert looks < 600, spool.output.read_text()
            subprocess.run(["sleep", "0.05"], check=True)

        try:
            Receiver(spool, self.address, SLOT, self.tools, spawn).run(wait)
        except Stop:
            return

    def has_all(self, spool: Spool) -> bool:
        """Return whether everything that is committed now has been received."""
        with self.connect() as connection:
            row = connection.execute("SELECT * FROM pg_walfile_name_offset(pg_current_wal_lsn())").fetchone()
        assert row is not None
        return any(one.name == row["file_name"] and len(one.filled()) >= row["file_offset"] - 8 for one in spool.open_segments())

    def switch(self) -> None:
        """Write something and close the segment."""
        with self.connect() as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'something')")
            connection.execute("SELECT pg_switch_wal()")


def tools_of(runtime: Runtime) -> Tools:
    return Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)
