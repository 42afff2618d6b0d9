"""The cache against redis-py and our own database reads, and what it costs a write; in CPU seconds of client and servers.

Client and servers are on one processor, in many short rounds, for the reason that `bench.harness` tells; all of them, peers too,
run in uvloop, as a service would. The throughput of a watched table is on the clock, with all processors.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import psycopg
import redis
import redis.asyncio
import sqlalchemy

from bench.harness import Entry, Sample, Scale, Target, at_least, on_one_processor, paired, ratio
from pgkeel.access import Database
from pgkeel.access._async.runner import Runner
from pgkeel.access.select_statements import get
from pgkeel.access.shape import shape_of
from pgkeel.access.statements import Statements
from pgkeel.cache import Cache
from pgkeel.cache.keeper import flush
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.schema.models import Base, Post, User
from pgkeel.schema.rows import PostRow
from pgkeel.testing.keys import ring_for_tests
from pgkeel.testing.servers import scratch_cluster, scratch_valkey

_WAYS = 16
_UPDATE = "UPDATE posts SET title = CASE WHEN length(title) < 200 THEN title || '.' ELSE left(title, 20) END WHERE id = $1"
_REDIS = f"redis-py {redis.__version__} async GET + msgspec"
Work = Callable[[], Awaitable[object]]
Cpu = Callable[[], float]


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on servers of our own, over their sockets, with fsync."""
    with on_one_processor(), _bench(scale) as bench:
        yield from bench.entries()
    with _bench(scale) as bench:
        yield from bench.watched()


@contextmanager
def _bench(scale: Scale) -> Iterator["_Bench"]:
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with (
        scratch_cluster(runtime=runtime, account=account, settings={"fsync": "on", "full_page_writes": "on"}) as cluster,
        scratch_valkey(account=account) as valkey,
        asyncio.Runner(loop_factory=import_module("uvloop").new_event_loop) as runner,
    ):
        cluster.create_database("bench")
        url = cluster.superuser_url("bench")
        engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url.reveal()))
        Base.metadata.create_all(engine)
        engine.dispose()
        with connect(url) as connection:
            up(connection, [PGKEEL])
        address = msgspec.structs.replace(valkey.url(), socket=str(valkey.socket / "valkey.sock"))
        cpu = _cpu_of(valkey.pid or 0, cluster.pid or 0)
        yield runner.run(_Bench(url, address, cpu, runner, scale).prepare())


class _Bench:
    """One database, one cache and the peers."""

    def __init__(self, url: Url, address: CacheUrl, cpu: Cpu, runner: asyncio.Runner, scale: Scale) -> None:
        self._address, self._cpu, self._runner, self._scale = address, cpu, runner, scale
        self._pairs = scale.pick(31, 101)
        self._database = Database(url, keys=ring_for_tests())
        self._runner_of_reads = Runner(self._database.pool)
        self._statements = Statements(shape_of(Post), self._database.pool.driver.dialect)
        self._place = url
        self._secret = Secret.generate()
        self._cache = Cache(address, secret=self._secret)
        self._redis = redis.asyncio.Redis.from_url(address.reveal())

    async def prepare(self) -> "_Bench":
        """Fill the table and both caches."""
        await self._database.open()
        author = await self._database.repository(User).insert(email="bench@example.org", password_hash="!")
        rows = [{"user_id": author, "title": f"post {n}", "content": "word " * 60, "metadata": {"n": n}} for n in range(200)]
        self._posts = self._database.repository(Post)
        self._keys = await self._posts.insert_many_returning(rows)
        await self._cache.open()
        await asyncio.to_thread(flush, self._address, "pgkeel", 1)
        self._rows = self._cache.rows("posts", PostRow, key=UUID, ttl="1h")
        self._near = self._cache.rows("posts", PostRow, key=UUID, ttl="1h", near=True)
        for key in self._keys:
            await self._rows.get(key, self._posts.get)
            await self._redis.set(str(key), msgspec.msgpack.encode(await self._posts.get(key)))
        self._writers = [await asyncpg.connect(self._place.reveal()) for _ in range(_WAYS)]
        return self

    def entries(self) -> Iterator[Entry]:
        """Yield every figure."""
        reads, writes = self._scale.pick(1_600, 3_200), self._scale.pick(160, 320)
        decode, ring = msgspec.msgpack.Decoder(PostRow).decode, itertools.cycle(self._keys)

        async def cached() -> object:
            return await self._rows.get(next(ring), self._posts.get)

        async def peer() -> object:
            raw: Any = await self._redis.get(str(next(ring)))
            return decode(raw)

        async def stored() -> object:
            return await self._posts.get(next(ring))

        query = get(self._statements, with_deleted=False)

        async def raw() -> object:
            return await self._runner_of_reads.one(query, (next(ring),))

        async def near() -> object:
            return await self._near.get(next(ring), self._posts.get)

        ours = self._sample(cached, reads)
        yield self._ratio("read.redis", "cached row, 16-way", ours, self._sample(peer, reads), _REDIS, at_least(8))
        alone = self._sample(raw, reads)
        yield self._ratio("read.database", "cached row, 16-way", ours, alone, "our read by id, not coalesced", at_least(5))
        yield self._ratio(
            "read.coalesced", "cached row, 16-way", ours, self._sample(stored, reads), "our read by id", at_least(2)
        )
        one = self._one_by_one(near, 10 * reads), _times(10, self._one_by_one(cached, reads))
        yield self._ratio("read.near", "near row, one at a time", *one, "a cached read", at_least(20))
        yield from self._of_writes(writes)
        yield from self._of_results(reads // 4)

    def _of_writes(self, writes: int) -> Iterator[Entry]:
        for ways, target in ((_WAYS, at_least(0.85)), (1, at_least(0.75))):
            announced, alone = (self._writing(writes, ways, is_announced=announced) for announced in (True, False))
            yield self._ratio(f"write.{ways}", f"announced write, {ways} at once", announced, alone, "the write alone", target)

    def _of_results(self, reads: int) -> Iterator[Entry]:
        """Yield what a repository's reads gain, through a handle and a cache of their own."""
        cache = Cache(self._address, secret=self._secret, namespace="results")
        database = Database(self._place, keys=ring_for_tests(), cache=cache)
        order, posts = Post.created_at.desc(), database.repository(Post)
        works: tuple[tuple[str, str, Work, Work], ...] = (
            (
                "page",
                "page of 20 rows",
                lambda: posts.cached().page(order_by=order, limit=20),
                lambda: posts.page(order_by=order, limit=20),
            ),
            ("count", "count of 200 rows", lambda: posts.cached().count(), posts.count),
        )

        async def opened() -> None:
            await cache.open()
            await database.open()
            await posts.cached().count()  # the first read tells the cache of the database's epoch
            await asyncio.to_thread(flush, self._address, "results", 1)

        async def closed() -> None:
            await database.close()
            await cache.close()

        self._runner.run(opened())
        for name, what, kept, stored in works:
            pair = self._sample(kept, reads), self._sample(stored, reads)
            yield self._ratio(f"result.{name}", f"cached {what}, 16-way", *pair, "the same from the database", at_least(2))
        self._runner.run(closed())

    def watched(self) -> Iterator[Entry]:
        """Yield the figure of writes from outside."""
        writes = self._scale.pick(320, 1_600)
        watched, free = (self._watched(writes, is_watched=is_watched) for is_watched in (True, False))
        pairs = paired(watched, free, self._scale.pick(15, 63))
        sentence = "write of a watched table, 16 at once (throughput)"
        yield ratio("cache.write.watched.unix", sentence, pairs, better="higher", against="unwatched", target=at_least(0.8))

    def _ratio(self, name: str, sentence: str, ours: Sample, peer: Sample, against: str, target: Target) -> Entry:
        pairs = paired(ours, peer, self._pairs)
        return ratio(f"cache.{name}.unix", sentence, pairs, better="higher", against=against, target=target)

    def _sample(self, work: Work, count: int) -> Sample:
        async def some() -> None:
            for _ in range(count // _WAYS):
                await work()

        return self._timed(lambda: asyncio.gather(*[some() for _ in range(_WAYS)]))

    def _one_by_one(self, work: Work, count: int) -> Sample:
        async def some() -> None:
            for _ in range(count):
                await work()

        return self._timed(some)

    def _watched(self, count: int, *, is_watched: bool) -> Sample:
        """The wall seconds of writes from outside, with and without the trigger, after sessions have planned what they do."""
        work, some = (self._work(number, _WAYS, is_announced=False) for number in (count, 4 * _WAYS))
        verb = "watch" if is_watched else "unwatch"

        async def switch() -> None:
            await self._writers[0].execute(f"SELECT pgkeel.cache_{verb}('posts')")
            await self._writers[0].execute("DELETE FROM pgkeel.cache_outbox WHERE relation <> ''")

        def sample() -> float:
            self._runner.run(switch())
            self._runner.run(_awaited(some))
            start = time.perf_counter()
            self._runner.run(_awaited(work))
            return time.perf_counter() - start

        return sample

    def _writing(self, count: int, ways: int, *, is_announced: bool) -> Sample:
        return self._timed(self._work(count, ways, is_announced=is_announced))

    def _work(self, count: int, ways: int, *, is_announced: bool) -> Work:
        async def some(connection: "asyncpg.Connection[Any]", keys: list[UUID]) -> None:
            for _, key in zip(range(count // ways), itertools.cycle(keys), strict=False):
                await self._write(connection, key, is_announced=is_announced)

        share = len(self._keys) // ways
        return lambda: asyncio.gather(*[some(self._writers[n], self._keys[n * share : (n + 1) * share]) for n in range(ways)])

    async def _write(self, connection: "asyncpg.Connection[Any]", key: UUID, *, is_announced: bool) -> None:
        await connection.execute("BEGIN")
        await connection.execute(_UPDATE, key)
        if is_announced:
            async with self._cache.change(self._rows.row(key)):
                await connection.execute("COMMIT")
        else:
            await connection.execute("COMMIT")

    def _timed(self, work: Callable[[], Awaitable[object]]) -> Sample:
        def sample() -> float:
            servers, own = self._cpu(), time.process_time()
            self._runner.run(_awaited(work))
            own = time.process_time() - own  # before the servers are asked, which takes a millisecond or two of ours
            return own + self._cpu() - servers

        return sample


def _times(factor: int, sample: Sample) -> Sample:
    """Return a sample of so many times the work."""
    return lambda: factor * sample()


async def _awaited(work: Work) -> None:
    await work()


def _cpu_of(valkey: int, postmaster: int) -> Cpu:
    """Return what reads the CPU seconds of Valkey and of PostgreSQL's processes, those that have ended too."""
    known: dict[str, float] = {}

    def read() -> float:
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
        for pid in (str(valkey), str(postmaster), *children):
            with suppress(OSError):
                known[pid] = _spent(pid)
        return sum(known.values())

    return read


def _spent(pid: str) -> float:
    """Return the seconds that the threads of a process have run; nanoseconds stand there, where `stat` counts ticks."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9
