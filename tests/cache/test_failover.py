"""A cache behind Sentinels, or in a cluster: who has our keys is found, and found again when another takes over."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cache import Cache, Client
from pgkeel.cache.errors import LoginRefused
from pgkeel.cache.sync import Client as Threads
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, KeelError, Unreachable
from pgkeel.core.secret import Secret
from tests.cache import nodes
from tests.cache.conftest import SECRET, trust
from tests.cache.redis_server import PROGRAM as REDIS
from tests.cache.redis_server import needs_redis
from tests.cache.table import NAMES, Table, touch, users

pytestmark = [pytest.mark.faults, pytest.mark.skipif(nodes.PROGRAM is None, reason="neither Valkey nor Redis is installed")]


class Ledger:
    """A database that counts how often another epoch was wanted."""

    def __init__(self) -> None:
        self.number = 0

    async def epoch(self) -> str:
        return f"server:1:{self.number}"

    async def dirty(self) -> None:
        self.number += 1


async def opened(url: CacheUrl, ledger: Ledger | None = None) -> AsyncIterator[Cache]:
    patience = timedelta(seconds=2)
    async with Cache(url, secret=SECRET, mark=timedelta(minutes=1), patience=patience, on_outage="closed") as cache:
        if ledger:
            cache.bind(ledger)
            await users(cache).read()
        await trust(cache)
        yield cache


async def takes_over(cache: Cache, table: Table) -> None:
    """Read and write until another server answers: every read is right, and none hangs."""
    assert cache.client.server is not None
    before = cache.client.server.run
    for number in range(600):
        table.name = str(number)
        try:
            async with touch(cache, table):
                pass
        except KeelError:
            pass  # on_outage without a database: the write fails, and the row was not written
        assert await table.read() == str(number)
        if cache.client.server.run != before:
            return
        await asyncio.sleep(0.05)
    raise AssertionError


async def fills_after_the_quarantine(cache: Cache, table: Table) -> None:
    asked = table.asked
    assert len({await table.read() for _ in range(3)}) == 1
    assert table.asked == asked + 3
    await trust(cache)
    await table.read()
    asked = table.asked
    await table.read()
    assert table.asked == asked


async def test_a_primary_is_found_through_sentinels_and_its_successor_too(tmp_path: Path) -> None:
    with nodes.watched_pair(tmp_path) as (url, primary, replica):
        async for cache in opened(url, ledger := Ledger()):
            table = users(cache, near=True)
            assert [await table.read() for _ in range(3)] == ["ada"] * 3
            assert table.asked == 1
            primary.kill()
            await takes_over(cache, table)
            assert ledger.number == 1  # who still speaks to the old one asks the database
            await fills_after_the_quarantine(cache, table)
        await _is_asked_as_it_wants_to_be(url, replica)


async def _is_asked_as_it_wants_to_be(url: CacheUrl, server: nodes.Node) -> None:
    """A Sentinel that knows no user gets no login, the server does; who is no Sentinel is passed over."""
    server.ask("ACL", "SETUSER", "app", "on", f">{nodes.PASSWORD}", "~*", "&*", "+@all")
    known = msgspec.structs.replace(url, user="app", password=Secret(nodes.PASSWORD))
    for _ in range(3):
        await opens(msgspec.structs.replace(known, seeds=(("127.0.0.1", server.port), *url.seeds)))
    await is_refused(msgspec.structs.replace(known, password=Secret("another")), LoginRefused, patience=5.0)
    await is_refused(msgspec.structs.replace(url, primary="another"), Unreachable)


async def opens(url: CacheUrl) -> None:
    """Connect in both colours; a Sentinel names no server that it has not heard of for 0.3 s, which happens on a busy machine."""
    for client in (Client(url, patience=5.0, home=NAMES.epoch), Threads(url, patience=5.0, home=NAMES.epoch)):
        for _ in range(100):
            with suppress(Unreachable):
                await _once(client)
                break
            await asyncio.sleep(0.05)
        assert client.server is not None


async def is_refused(url: CacheUrl, kind: type[KeelError], patience: float = 1.0) -> None:
    for client in (Client(url, patience=patience, home=NAMES.epoch), Threads(url, patience=patience, home=NAMES.epoch)):
        refusal = await _refusal(client, kind)
        assert nodes.PASSWORD not in str(refusal)
        assert refusal.hint
        assert "redis" not in type(refusal.__cause__ or refusal.__context__).__module__


async def _refusal(client: Client | Threads, kind: type[KeelError]) -> KeelError:
    """Return the refusal of a kind; where another one is looked for, that nobody is found for a moment is none: see `opens`."""
    for _ in range(100):
        try:
            await _once(client)
        except kind as err:
            return err
        except Unreachable:
            await asyncio.sleep(0.05)
    raise AssertionError


async def _once(client: Client | Threads) -> None:
    if isinstance(client, Client):
        await client.open()
        await client.close()
    else:
        await asyncio.to_thread(client.open)
        client.close()


async def test_the_node_of_a_cluster_that_has_our_keys_is_found_and_its_successor_too(tmp_path: Path) -> None:
    with nodes.cluster(tmp_path, NAMES.epoch.decode()) as (url, farm):
        async for cache in opened(url):
            table = users(cache)
            assert [await table.read() for _ in range(3)] == ["ada"] * 3
            async with touch(cache, table):
                table.name = "grace"
            assert [await table.read() for _ in range(2)] == ["grace"] * 2
            assert table.asked == 2
            await _follows_a_slot(cache, table, farm)
            farm[0].kill()
            await takes_over(cache, table)
            await fills_after_the_quarantine(cache, table)
        farm[1].kill()  # the first in the list, and not ours: redis-py's client does not open then
        await opens(url)
        farm[2].ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
        await opens(url)
        await is_refused(msgspec.structs.replace(url, user="app", password=Secret("another")), LoginRefused, patience=5.0)


@needs_redis
@pytest.mark.parametrize("via", ["sentinel", "cluster"])
async def test_servers_with_tls_and_an_acl_are_found_by_who_may_log_in_and_by_nobody_else(tmp_path: Path, via: str) -> None:
    guard = nodes.Guard.made(str(REDIS), tmp_path)
    found = nodes.watched_pair(tmp_path, guard) if via == "sentinel" else nodes.cluster(tmp_path, NAMES.epoch.decode(), guard)
    with found as (url, *_):
        async for cache in opened(url):
            table = users(cache, near=True)
            assert [await table.read() for _ in range(3)] == ["ada"] * 3
            async with touch(cache, table):
                table.name = "grace"
            assert [await table.read() for _ in range(2)] == ["grace"] * 2
            assert table.asked == 2
        await opens(url)
        await is_refused(msgspec.structs.replace(url, password=Secret("another")), LoginRefused, patience=5.0)
        await is_refused(msgspec.structs.replace(url, user="nobody"), LoginRefused, patience=5.0)
        await is_refused(msgspec.structs.replace(url, password=None), LoginRefused, patience=5.0)
        await is_refused(msgspec.structs.replace(url, authority=""), Unreachable)
        await is_refused(msgspec.structs.replace(url, is_tls=False), Unreachable)
        await is_refused(msgspec.structs.replace(url, authority=str(tmp_path / "missing")), ConfigError)


async def _follows_a_slot(cache: Cache, table: Table, farm: list[nodes.Node]) -> None:
    """Move the slot to the second node and back, as a rebalancing does."""
    slot = int(farm[0].ask("CLUSTER", "KEYSLOT", NAMES.epoch.decode())[1:])
    for target in (farm[1], farm[0]):
        for node in farm[:3]:
            node.ask("FLUSHALL")
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", nodes.name_of(target))
        await takes_over(cache, table)
        assert cache.client.server is not None
        assert cache.client.server.figures["tcp_port"] == str(target.port)


async def test_without_anybody_who_knows_reads_go_to_the_database() -> None:
    for url in ("redis+sentinel://127.0.0.1:1,127.0.0.1:2/keel/0", "redis+cluster://127.0.0.1:1"):
        async with Cache(url, secret=SECRET) as cache:
            table = users(cache)
            assert [await table.read() for _ in range(2)] == ["ada"] * 2
            assert cache.figures.bypasses == 2
            with pytest.raises(Unreachable):
                await touch(cache, table).mark()


@pytest.mark.parametrize("via", ["sentinel", "cluster"])
async def test_who_does_not_answer_or_speaks_otherwise_is_passed_over(via: str) -> None:
    async def answer(answers: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(1000):
                writer.write(answers)
        writer.close()

    servers = [
        await asyncio.start_server(partial(answer, said), "127.0.0.1", 0)
        for said in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b":7\r\n", b"*0\r\n", b"*1\r\n*1\r\n:7\r\n", b"-LOADING it\r\n")
    ]
    for server in servers:
        port = server.sockets[0].getsockname()[1]
        url = CacheUrl.parse(f"redis+{via}://127.0.0.1:{port}{'/keel' if via == 'sentinel' else ''}")
        await is_refused(url, Unreachable, patience=0.1)
        server.close()


def test_redis_py_is_imported_for_such_addresses_only_and_its_absence_is_said() -> None:
    program = """
import sys
from pgkeel.cache import Client
from pgkeel.core.errors import ConfigError
Client("redis://127.0.0.1:1")
assert "redis" not in sys.modules
sys.modules["redis"] = None
try:
    Client("redis+cluster://127.0.0.1:1")
except ConfigError as err:
    print(err.hint)
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b'install "pgkeel[cache]"\n'


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://a:1/",
        "redis+cluster://a/1",
        "redis://a,b",
        "unix+sentinel:///x/y",
        "redis+other://a",
        "redis+cluster://a:x",
    ],
)
def test_an_address_that_cannot_be_is_refused(url: Any) -> None:
    with pytest.raises(ConfigError):
        CacheUrl.parse(url)


def test_an_address_of_several_prints_as_it_was_given_but_for_its_password() -> None:
    url = CacheUrl.parse("rediss+sentinel://app:secret@one,[::1]:7/keel/3?authority=/ca.crt")
    assert str(url) == "rediss+sentinel://app:***@one:26379,[::1]:7/keel/3?authority=/ca.crt"
    assert CacheUrl.parse(url.reveal()) == url
