"""A transaction pooler between the runner and the server.

The pooler here is a small real one: it greets clients by itself, as poolers do, and gives each transaction any of its servers.
"""

import os
import selectors
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.local import Account
from pgkeel.migrations import Source, up
from pgkeel.migrations.errors import TransactionPooler
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Write
from tests.ports import own_port


class Pooler:
    """Listens on a free port; every connection of a client may use every server connection, one transaction at a time."""

    def __init__(self, url: Url, *, per_transaction: bool) -> None:
        self._url = url
        self._per_transaction = per_transaction
        self._free: list[socket.socket] = []
        self._servers: list[socket.socket] = []
        self._opened: list[Connection] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for server in self._servers:
            server.close()
        for opened in self._opened:
            opened.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, struct.error):
            self._greet(client)
            server = None
            while kind := client.recv(1, socket.MSG_PEEK):
                if kind == b"X":
                    break
                server = server or self._take()
                self._relay_until_idle(client, server)
                if self._per_transaction:
                    self._give_back(server)
                    server = None

    def _greet(self, client: socket.socket) -> None:
        while True:
            (length,) = struct.unpack("!i", _exactly(client, 4))
            if _exactly(client, length - 4)[:4] == struct.pack("!i", 196608):
                break
            client.sendall(b"N")  # neither TLS nor GSS
        settings = {"server_version": "17.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
        client.sendall(_message(b"R", struct.pack("!i", 0)))
        for name, value in settings.items():
            client.sendall(_message(b"S", f"{name}\0{value}\0".encode()))
        client.sendall(_message(b"K", struct.pack("!ii", 999_999, 1)) + _message(b"Z", b"I"))

    def _take(self) -> socket.socket:
        with self._lock:
            if self._free:
                return self._free.pop()
        return self._open()

    def _give_back(self, server: socket.socket) -> None:
        with self._lock:
            self._free.append(server)

    def _open(self) -> socket.socket:
        """Log in through the driver, then speak to the server on its socket."""
        opened = connect(self._url)
        self._opened.append(opened)
        server = socket.socket(fileno=os.dup(opened.pgconn.socket))
        server.setblocking(True)
        self._servers.append(server)
        return server

    def _relay_until_idle(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    kind, body = _read(key.fileobj)  # type: ignore[arg-type]  # what was registered is a socket
                    (server if key.fileobj is client else client).sendall(_message(kind, body))
                    if key.fileobj is server and kind == b"Z" and body == b"I":
                        return


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _read(source: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(source, 1)
    (length,) = struct.unpack("!i", _exactly(source, 4))
    return kind, _exactly(source, length - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise OSError("closed")
        found += part
    return found


TABLE = "-- Up Migration\nCREATE TABLE a (x int);\n-- Down Migration\nDROP TABLE a;\n"


def address(pooler: Pooler, url: Url) -> Url:
    return Url.parse(f"postgresql://postgres@127.0.0.1:{pooler.port}/{url.database}?sslmode=disable&gssencmode=disable")


def test_a_transaction_pooler_is_refused(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_a", TABLE)
    with (
        closing(Pooler(empty_db, per_transaction=True)) as pooler,
        connect(address(pooler, empty_db)) as connection,
        pytest.raises(TransactionPooler),
    ):
        up(connection, [app])
    with connect(empty_db) as direct:
        assert direct.execute("SELECT to_regnamespace('pgkeel') AS there").fetchone() == {"there": None}


def test_a_session_pooler_is_good_enough(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_a", TABLE)
    with closing(Pooler(empty_db, per_transaction=False)) as pooler, connect(address(pooler, empty_db)) as connection:
        assert len(up(connection, [app]).steps) == 1


PGBOUNCER = shutil.which("pgbouncer")


@contextmanager
def pgbouncer(url: Url, folder: Path, account: Account, mode: str) -> Iterator[Url]:
    """PgBouncer in front of a server, with as many server connections as it likes."""
    port = own_port()
    password = f" password={url.password.reveal()}" if url.password else ""
    place = f"host={url.host} port={url.port} user={url.user}{password}"
    folder.chmod(0o755)
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = {place}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\nignore_startup_parameters = options,extra_float_digits\n"
    )
    argv = [str(PGBOUNCER), *([] if account.is_current else ["-u", account.name]), str(folder / "pgbouncer.ini")]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        through = Url.parse(f"postgresql://{url.user}@127.0.0.1:{port}/{url.database}?sslmode=disable&gssencmode=disable")
        try:
            _wait_for(port)
            yield through
        finally:
            running.terminate()


def _wait_for(port: int) -> None:
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
@pytest.mark.parametrize(("mode", "is_refused"), [("transaction", True), ("session", False)])
def test_pgbouncer_is_refused_in_transaction_mode_alone(
    empty_db: Url, app: Source, write: Write, place: Path, account: Account, mode: str, is_refused: bool
) -> None:
    write("20240101000000_a", TABLE)
    with pgbouncer(empty_db, place, account, mode) as through, connect(through) as connection:
        if is_refused:
            with pytest.raises(TransactionPooler, match="a transaction pooler stands between"):
                up(connection, [app])
        else:
            assert len(up(connection, [app]).steps) == 1
