"""Hostile keys and values, large ones, and clocks that jump: right answers or clear errors."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cache import Cache, tag
from pgkeel.cache.recipes import Sessions
from pgkeel.cache.sync import Client
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import UsageError
from tests.cache import nodes
from tests.cache.conftest import SECRET, OpenCache
from tests.cache.table import touch, users

LARGE = 10 << 20
HOSTILE = [
    "",
    " ",
    "\0",
    "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "{pgkeel}:epoch",
    "*",
    "a\x00b",
    "ä" * 40_000,
    "\U0001f600",
    "' OR 1=1 --",
]
COMPILER = shutil.which("cc")
PATIENT = {"lease": timedelta(minutes=1), "patience": timedelta(minutes=1)}
"""A busy machine makes nothing end before its time: only the clock that a test moves does."""


class Text(msgspec.Struct, frozen=True):
    key: str
    raw: bytes


async def test_hostile_keys_are_rows_like_others_and_never_each_other(cache: Any) -> None:
    rows = cache.rows("texts", Text, key=str)

    async def load(key: str) -> Text:
        return Text(key, key.encode())

    for _ in range(2):
        assert [(await rows.get(key, load)).key for key in HOSTILE] == HOSTILE
    assert cache.figures.hits == len(HOSTILE)
    for key in HOSTILE:
        async with cache.change(rows.row(key), tag("texts", key=key)):
            pass
    assert await cache.client.call("GET", b"{pgkeel}:epoch") is not None


async def test_a_key_that_is_no_text_is_refused(cache: Any) -> None:
    rows = cache.rows("texts", Text, key=str)
    for key in ("\ud800", object(), float("nan"), ["a"]):
        with pytest.raises(UsageError):
            rows.row(key)
    with pytest.raises(UsageError):
        await cache.change(tag("texts", key=object())).mark()


async def test_bytes_that_are_no_text_come_back_as_they_were(cache: Any) -> None:
    rows = cache.rows("texts", Text, key=str)
    wanted = Text("a", bytes(range(256)) * 4)

    async def load(_: str) -> Text:
        return wanted

    assert [await rows.get("a", load) for _ in range(3)] == [wanted] * 3
    assert cache.figures.hits == 2


async def test_a_value_of_ten_megabytes_is_right_and_is_not_kept(cache: Any) -> None:
    rows = cache.rows("texts", Text, key=str, near=True, stale="1m")
    wanted = Text("a", b"\xff" * LARGE)
    asked: list[str] = []

    async def load(key: str) -> Text:
        asked.append(key)
        return wanted

    async def everything() -> list[Text]:
        asked.append("all")
        return [wanted]

    all_of_them = cache.cached(tags=["texts"])(everything)

    for _ in range(2):
        assert await rows.get("a", load) == wanted
        assert await all_of_them() == [wanted]
    assert asked == ["a", "all", "a", "all"]
    sizes = [len(await cache.client.call("DUMP", key)) for key in await cache.client.call("KEYS", "*")]
    assert max(sizes) < 1 << 20


async def test_a_session_of_ten_megabytes_is_kept_or_refused_whole(valkey_db: CacheUrl) -> None:
    async with Cache(valkey_db, secret=SECRET, patience=timedelta(seconds=20)) as cache:
        sessions = Sessions(cache, Text)
        token = await sessions.start(Text("a", b"\xff" * LARGE))
        assert await sessions.read(token) == Text("a", b"\xff" * LARGE)


@pytest.fixture(scope="module")
def server_with_a_clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CacheUrl, Callable[[int], None]]]:
    """A server, and what moves its clock by so many seconds."""
    if COMPILER is None or nodes.PROGRAM is None:
        pytest.skip("no compiler or no server is installed")
    folder = tmp_path_factory.mktemp("clock")
    library, file = folder / "moved_clock.so", folder / "moved"
    source = Path(__file__).with_name("moved_clock.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    moved = {**os.environ, "LD_PRELOAD": str(library), "MOVED_CLOCK": str(file)}

    node = nodes.Node(folder / "server", ['save ""', "maxmemory-policy noeviction"], env=moved)
    nodes.until(lambda: node.answers(b"PONG", "PING"))

    def is_at(seconds: int) -> bool:
        return abs(int(node.ask("TIME").split()[2]) - time.time() - seconds) < 60

    def move(seconds: int) -> None:
        (folder / "draft").write_text(str(seconds), encoding="ascii")
        (folder / "draft").replace(file)
        nodes.until(lambda: is_at(seconds))

    yield CacheUrl(port=node.port), move
    node.kill()


@pytest.fixture
def clock(
    server_with_a_clock: tuple[CacheUrl, Callable[[int], None]],
) -> Iterator[tuple[CacheUrl, Callable[[int], None]]]:
    """It, empty and with the right time, whatever the test before left there."""
    url, move = server_with_a_clock
    client = Client(url, patience=60.0)
    client.call("FLUSHALL")
    client.close()
    yield url, move
    move(0)


@pytest.mark.faults
async def test_a_clock_that_jumps_forward_between_mark_and_commit_leaves_nothing_stale(
    clock: tuple[CacheUrl, Callable[[int], None]], open_cache: OpenCache
) -> None:
    url, move = clock
    cache, other = await open_cache(url, **PATIENT), await open_cache(url, **PATIENT)
    table, reader = users(cache), users(other)
    change = touch(cache, table)
    await change.mark()
    assert await reader.read() == "ada"
    move(3_600)
    assert [await reader.read() for _ in range(2)] == ["ada"] * 2
    assert reader.asked == 2
    reader.name = "grace"
    await change.release()
    assert [await reader.read() for _ in range(2)] == ["grace"] * 2


@pytest.mark.faults
async def test_a_clock_that_jumps_back_makes_reads_slower_and_none_wrong(
    clock: tuple[CacheUrl, Callable[[int], None]], open_cache: OpenCache
) -> None:
    url, move = clock
    cache = await open_cache(url, **PATIENT)
    table = users(cache)
    dead = touch(cache, table)
    await dead.mark()
    move(-3_600)
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    async with touch(cache, table):
        table.name = "grace"
    assert [await table.read() for _ in range(2)] == ["grace"] * 2
    assert table.asked == 4
    await dead.release()
    assert [await table.read() for _ in range(2)] == ["grace"] * 2
    assert table.asked == 5
