import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cache import CacheUnsuitable, Client, CommandRefused, LoginRefused
from pgkeel.cache.server import server_of
from pgkeel.cache.sync import Client as SyncClient
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, Unreachable
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Valkey
from pgkeel.local.alive import send
from pgkeel.security.tls import ensure_authority, ensure_certificate
from pgkeel.testing.servers import scratch_valkey
from tests.cache.conftest import Threaded


@pytest.fixture
def own_valkey(account: Account) -> Iterator[Valkey]:
    with scratch_valkey(account=account) as server:
        yield server


@pytest.fixture
def make_client(colour: str) -> Any:
    def make(url: CacheUrl | str, **options: Any) -> Any:
        return Threaded(SyncClient(url, **options)) if colour == "sync" else Client(url, **options)

    return make


@pytest.fixture
def client(make_client: Any, valkey_db: CacheUrl) -> Any:
    return make_client(valkey_db, patience=10.0)


async def test_any_bytes_and_ten_megabytes_come_back_as_they_went(client: Any) -> None:
    for value in (b"", b"\r\n$-1\r\n", bytes(range(256)), os.urandom(10_000_000)):
        await client.call("SET", b"\xff key", value)
        assert await client.call("GET", b"\xff key") == value
    await client.close()


async def test_tasks_share_one_connection_and_each_gets_its_own_answer(valkey_db: CacheUrl) -> None:
    client = Client(valkey_db)
    answers = await asyncio.gather(*[client.call("ECHO", str(number)) for number in range(500)])
    assert answers == [str(number).encode() for number in range(500)]
    assert len({await client.call("CLIENT", "ID") for _ in range(3)}) == 1
    await client.close()


def test_threads_share_one_connection_and_each_gets_its_own_answer(valkey_db: CacheUrl) -> None:
    client = SyncClient(valkey_db)

    def ask(number: int) -> tuple[bytes, int]:
        return client.call("ECHO", str(number)), client.call("CLIENT", "ID")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(500)))
    assert [answer for answer, _ in answers] == [str(number).encode() for number in range(500)]
    assert len({connection for _, connection in answers}) == 1
    client.close()


async def test_a_cancelled_caller_does_not_shift_the_answers_of_others(valkey_db: CacheUrl) -> None:
    client = Client(valkey_db)
    await client.open()
    doomed = asyncio.create_task(client.call("ECHO", "doomed"))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await client.call("ECHO", "next") == b"next"
    await client.close()


async def test_a_wrong_password_is_refused_and_not_repeated(make_client: Any, valkey_db: CacheUrl) -> None:
    client = make_client(msgspec.structs.replace(valkey_db, password=Secret("wrong-secret")))
    with pytest.raises(LoginRefused) as caught:
        await client.open()
    assert "wrong-secret" not in f"{caught.value} {caught.value!r} {caught.value.hint}"


async def test_a_database_that_the_server_has_not_is_said_to_be_that(make_client: Any, valkey_db: CacheUrl) -> None:
    with pytest.raises(CacheUnsuitable, match="no database 99"):
        await make_client(msgspec.structs.replace(valkey_db, database=99)).open()


async def test_a_refused_command_says_why(client: Any) -> None:
    await client.call("RPUSH", "list", "x")
    with pytest.raises(CommandRefused) as caught:
        await client.call("GET", "list")
    assert caught.value.kind == "WRONGTYPE"
    await client.close()


@pytest.mark.faults
async def test_a_restarted_server_is_found_again(make_client: Any, own_valkey: Valkey) -> None:
    client = make_client(own_valkey.url(), patience=5.0)
    await client.call("PING")
    first = client.server.run
    own_valkey.kill()
    said = [await failure(client) for _ in range(50)]
    assert "closed" in said[0] or "reset" in said[0]
    assert any("just now" in text for text in said)
    own_valkey.start()
    for _ in range(100):
        try:
            assert await client.call("PING") == b"PONG"
        except Unreachable:
            await asyncio.sleep(0.1)
        else:
            break
    assert client.server.run != first
    await client.close()


async def failure(client: Any) -> str:
    with pytest.raises(Unreachable) as caught:
        await client.call("PING")
    return caught.value.message


@pytest.mark.faults
async def test_a_silent_server_hangs_nobody(make_client: Any, own_valkey: Valkey) -> None:
    client = make_client(own_valkey.url(), patience=0.3)
    await client.call("PING")
    assert own_valkey.pid is not None
    send(own_valkey.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable, match="no answer in time"):
            await client.call("PING")
    finally:
        send(own_valkey.pid or 0, signal.SIGCONT)
    await client.close()


async def test_a_unix_socket_and_another_database_work(make_client: Any, valkey_server: Valkey, valkey_db: CacheUrl) -> None:
    url = msgspec.structs.replace(valkey_db, socket=str(valkey_server.socket / "valkey.sock"), database=3)
    client = make_client(url.reveal())
    await client.call("SET", "here", "x")
    other = make_client(valkey_db)
    assert await other.call("GET", "here") is None
    await client.close()
    await other.close()


async def test_tls_is_verified(make_client: Any, valkey_db: CacheUrl, tmp_path: Path) -> None:
    relay = TlsRelay(valkey_db.port, tmp_path)
    url = msgspec.structs.replace(valkey_db, host="localhost", port=relay.port, is_tls=True, authority=str(relay.authority))
    client = make_client(url.reveal())
    value = os.urandom(1_000_000)
    await client.call("SET", "key", value)
    assert await client.call("GET", "key") == value
    await client.close()
    stranger = make_client(msgspec.structs.replace(url, authority=""))
    with pytest.raises(Unreachable):
        await stranger.call("PING")
    relay.close()


@pytest.mark.parametrize("version", ["9.1.0", "8.0.0"])
async def test_compare_and_set_works_natively_and_as_a_script(client: Any, version: str) -> None:
    await client.open()
    inner = client.inner if isinstance(client, Threaded) else client
    inner.server = msgspec.structs.replace(inner.server, version=version)
    await client.call("SCRIPT", "FLUSH")
    await client.call("SET", "key", "old")
    assert not await client.set_if_equal(b"key", b"other", b"new", 60_000)
    assert await client.set_if_equal(b"key", b"old", b"new", 60_000)
    assert not await client.set_if_equal(b"absent", b"old", b"new", 60_000)
    assert await client.call("GET", "key") == b"new"
    assert await client.call("PTTL", "key") > 0
    assert not await client.delete_if_equal(b"key", b"old")
    assert await client.delete_if_equal(b"key", b"new")
    await client.close()


def test_servers_that_cannot_keep_the_promise_are_refused() -> None:
    with pytest.raises(CacheUnsuitable, match="7"):
        server_of("server_name:valkey\nvalkey_version:7.2.5\nrun_id:a\nrole:master")
    with pytest.raises(CacheUnsuitable, match=r"redis 6\.2"):
        server_of("redis_version:6.2.14\nrun_id:a\nrole:master")
    with pytest.raises(CacheUnsuitable, match="replica"):
        server_of("redis_version:7.2.0\nrun_id:a\nrole:slave")
    assert not server_of("redis_version:7.2.0\nrun_id:a\nrole:master").can_compare
    assert not server_of("redis_version:7.2.0\nmaxmemory_policy:allkeys-lru").keeps_marks


async def test_what_is_no_cache_server_is_told(make_client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_answer, args=(door,), daemon=True).start()
        client = make_client(f"redis://127.0.0.1:{door.getsockname()[1]}")
        with pytest.raises(Unreachable, match="not a cache server"):
            await client.call("PING")


def _answer(door: socket.socket) -> None:
    with door.accept()[0] as other:
        other.recv(100)
        other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_missing_authority_file_is_told() -> None:
    with pytest.raises(ConfigError, match="authority"):
        SyncClient("rediss://127.0.0.1:1/0?authority=/no/such/file").open()


class TlsRelay:
    """TLS in front of a Valkey that has none, in a thread of its own."""

    def __init__(self, target: int, folder: Path) -> None:
        self.authority = folder / "authority.crt"
        signer = ensure_authority(self.authority, folder / "authority.key")
        ensure_certificate(signer, folder / "server.crt", folder / "server.key")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._is_ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._is_ready.set()
            await self._is_over.wait()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_pour(reader, there_writer), _pour(there_reader, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@pytest.mark.parametrize("is_socket", [True, False])
def test_another_event_loop_serves_too(valkey_server: Valkey, valkey_db: CacheUrl, *, is_socket: bool) -> None:
    uvloop = pytest.importorskip("uvloop", reason="make venv-bench installs it")
    socket_url = msgspec.structs.replace(valkey_db, socket=str(valkey_server.socket / "valkey.sock"))

    async def ask() -> list[bytes]:
        client = Client(socket_url if is_socket else valkey_db)
        answers = await asyncio.gather(*[client.call("ECHO", str(number)) for number in range(5)])
        await client.close()
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) == [b"0", b"1", b"2", b"3", b"4"]
