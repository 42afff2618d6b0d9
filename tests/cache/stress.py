"""One process of the race: readers and writers of a few hot rows through the cache, writers that die between COMMIT and release.

It takes its orders on stdin and prints one JSON object. A read is stale when it returns a value older than one whose COMMIT
had been answered before the read began; every answered COMMIT counts, those of killed writers too.
"""

import asyncio
import mmap
import os
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic

import asyncpg
import msgspec

from pgkeel.cache import Cache, CommandRefused, tag
from pgkeel.cache.entry import fresh
from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret

KEYS = 32
GROUPED = KEYS // 2
"""Rows with lower keys are written with the tag of their group, the others alone: that is said in other words."""
GROUPS = 2
WRITERS = 15
CONNECTIONS = 8
SECRET = "a secret of the race"
SLOW = 0.004
LAG = 1.2
NEAR_LAG = 0.7
GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Orders(msgspec.Struct):
    database: str
    cache: str
    board: str
    seconds: float
    seed: int
    readers: int
    writers: int
    mark: int
    protocol: str = "ours"
    is_open: bool = False
    is_near: bool = False
    deadly: bool = False


class Outcome(msgspec.Struct):
    reads: int = 0
    hits: int = 0
    near: int = 0
    stale: int = 0
    writes: int = 0
    lost: int = 0
    dirty: int = 0


class Row(msgspec.Struct, frozen=True):
    id: int
    n: int


class Board:
    """What was acknowledged, by all processes: one number a writer and key."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._numbers = memoryview(mmap.mmap(opened.fileno(), 0)).cast("q")
        self._past: deque[tuple[float, list[int]]] = deque([(0.0, [0] * KEYS)])
        self._own = [0] * KEYS
        self._lag = 0.0

    def newest(self, key: int, *, is_near: bool = False) -> int:
        """What a read that begins now may not be older than: near ones see at once what this process has written."""
        if is_near:
            return max(self._own[key], self._before(key))
        return self._before(key)

    def _before(self, key: int) -> int:
        if not self._lag:
            return max(self._numbers[key::KEYS])
        before = monotonic() - self._lag
        while len(self._past) > 1 and self._past[1][0] <= before:
            self._past.popleft()
        return self._past[0][1][key]

    def is_late(self, seconds: float) -> None:
        """Let reads be older by so much."""
        self._lag = seconds

    def look(self) -> None:
        """Note how things stand; often, where reads may be older."""
        self._past.append((monotonic(), [max(self._numbers[key::KEYS]) for key in range(KEYS)]))

    async def look_often(self, end: float) -> None:
        while monotonic() < end:
            self.look()
            await asyncio.sleep(0.05)

    def acknowledge(self, writer: int, key: int, n: int) -> None:
        self._numbers[writer * KEYS + key] = n
        self._own[key] = max(self._own[key], n)


class Ledger:
    """The database's epoch, over a connection of its own."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    async def epoch(self) -> str:
        return str(await self._ask("SELECT pgkeel.cache_epoch()"))

    async def dirty(self) -> None:
        await self._ask("SELECT pgkeel.cache_dirty()")

    async def _ask(self, text: str) -> object:
        async with self._turn:
            if self._connection is None:
                self._connection = await asyncpg.connect(self._database)
            return await self._connection.fetchval(text)


class Plain:
    """The protocols of others, for rows: delete after COMMIT, and leases with marks but without anything else."""

    def __init__(self, cache: Cache, *, has_marks: bool) -> None:
        self.client = cache.client
        self.has_marks = has_marks

    async def get(self, key: int, load: Callable[[int], Awaitable[Row]]) -> Row:
        name = b"{pgkeel}:plain%d" % key
        token = b"L" + fresh()
        try:
            held = await self._find(name, token)
            if held is not None and held[:1] == b"V":
                return Row(key, int(held[1:]))
        except (Unreachable, CommandRefused):
            return await load(key)
        row = await load(key)
        with suppress(Unreachable, CommandRefused):
            value = b"V%d" % row.n
            if not self.has_marks:
                await self.client.call("SET", name, value, "PX", 60_000)
            elif held is None:
                await self.client.set_if_equal(name, token, value, 60_000)
        return row

    async def _find(self, name: bytes, token: bytes) -> bytes | None:
        if self.has_marks:
            found: bytes | None = await self.client.call("SET", name, token, "NX", "GET", "PX", 1000)
        else:
            found = await self.client.call("GET", name)
        return found

    async def mark(self, key: int, who: bytes, mark: int) -> None:
        if self.has_marks:
            await self.client.call("SET", b"{pgkeel}:plain%d" % key, b"T" + who, "PX", mark)

    async def release(self, key: int, who: bytes) -> None:
        name = b"{pgkeel}:plain%d" % key
        with suppress(Unreachable, CommandRefused):
            await (self.client.delete_if_equal(name, b"T" + who) if self.has_marks else self.client.call("DEL", name))


def open_cache(address: str, mark: int, ledger: Ledger | None = None) -> Cache:
    cache = Cache(
        address,
        secret=Secret(SECRET),
        on_outage="open" if ledger else "closed",
        mark=timedelta(milliseconds=mark),
        lease=timedelta(seconds=1),
        patience=timedelta(seconds=2),
    )
    if ledger:
        cache.bind(ledger)
    return cache


class Process:
    def __init__(self, orders: Orders, cache: Cache) -> None:
        self.orders = orders
        self.cache = cache
        self.rows = cache.rows("race", Row, key=int, ttl="1m", near=orders.is_near)
        self.plain = None if orders.protocol == "ours" else Plain(cache, has_marks=orders.protocol == "marks")
        self.board = Board(Path(orders.board))
        self.random = random.Random(orders.seed)
        self.end = monotonic() + orders.seconds
        self.outcome = Outcome()

    async def run(self) -> None:
        if self.orders.is_open or self.orders.is_near:
            self.board.is_late(LAG if self.orders.is_open else NEAR_LAG)
            self.tasks = [asyncio.create_task(self.board.look_often(self.end))]
        self.connections: asyncio.Queue[asyncpg.Connection[asyncpg.Record]] = asyncio.Queue()
        for _ in range(min(CONNECTIONS, self.orders.readers)):
            self.connections.put_nowait(await asyncpg.connect(self.orders.database))
        readers = [self.reader() for _ in range(self.orders.readers)]
        writers = [self.writer(self.orders.seed * 5 + number) for number in range(self.orders.writers)]
        await asyncio.gather(*readers, *writers)
        figures = self.cache.figures
        self.outcome.hits, self.outcome.near, self.outcome.dirty = figures.hits, figures.near, figures.dirty

    async def query(self, text: str, value: int) -> list[Row]:
        connection = await self.connections.get()
        try:
            found = await connection.fetch(text, value)
        finally:
            self.connections.put_nowait(connection)
        await self.dawdle()
        return [Row(*record) for record in found]

    async def load(self, key: int) -> Row:
        return (await self.query("SELECT id, n FROM race WHERE id = $1", key))[0]

    async def reader(self) -> None:
        @self.cache.cached(tags=lambda group: [tag("race", grp=group)], name="group")
        async def group_rows(group: int) -> list[Row]:
            return await self.query(f"SELECT id, n FROM race WHERE grp = $1 AND id < {GROUPED} ORDER BY id", group)

        @self.cache.cached(tags=["race"], name="alone")
        async def rows_alone(first: int) -> list[Row]:
            return await self.query("SELECT id, n FROM race WHERE id >= $1 ORDER BY id", first)

        has_groups = self.plain is None and not self.orders.is_near
        get = (self.plain or self.rows).get
        while monotonic() < self.end:
            key = self.random.randrange(KEYS)
            if has_groups and self.random.random() < 0.3:
                is_alone = key >= GROUPED
                keys = range(GROUPED, KEYS) if is_alone else range(key % GROUPS, GROUPED, GROUPS)
                before = {number: self.board.newest(number) for number in keys}
                read = await (rows_alone(GROUPED) if is_alone else group_rows(key % GROUPS))
                is_stale = len(read) != len(before) or any(row.n < before[row.id] for row in read)
            else:
                newest = self.board.newest(key, is_near=self.orders.is_near)
                row = await get(key, self.load)
                is_stale = row is None or row.n < newest
            self.outcome.reads += 1
            self.outcome.stale += is_stale
            if self.random.random() < 0.2:
                await asyncio.sleep(0)

    async def dawdle(self, longest: float = SLOW) -> None:
        """A slow reader between the query and the fill, or a slow writer."""
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.random() * longest)

    async def writer(self, number: int) -> None:
        connection = await asyncpg.connect(self.orders.database)
        while monotonic() < self.end:
            key = self.random.randrange(KEYS)
            try:
                await self.write(connection, number, key)
                self.outcome.writes += 1
            except (Unreachable, CommandRefused):
                self.outcome.lost += 1
                with suppress(*GONE):
                    await connection.execute("ROLLBACK")
                await asyncio.sleep(0.05)
                if connection.is_closed():  # transaction_timeout ended it meanwhile
                    connection = await asyncpg.connect(self.orders.database)
            except GONE:  # transaction_timeout ends the connection
                self.outcome.lost += 1
                connection = await asyncpg.connect(self.orders.database)
            await asyncio.sleep(self.random.random() * 0.1)
        await connection.close()

    async def write(self, connection: "asyncpg.Connection[asyncpg.Record]", number: int, key: int) -> None:
        await connection.execute(f"BEGIN; SET LOCAL transaction_timeout = {self.orders.mark * 2 // 3}")
        n = await connection.fetchval("UPDATE race SET n = n + 1 WHERE id = $1 RETURNING n", key)
        change = self.cache.change(self.rows.row(key), *([tag("race", grp=key % GROUPS)] if key < GROUPED else []))
        who = fresh()
        await (self.plain.mark(key, who, self.orders.mark) if self.plain else change.mark())
        await self.dawdle(5 * SLOW)  # a mark may be lost here
        await connection.execute("COMMIT")
        chance = self.random.random()
        if chance < 0.1 and self.orders.deadly:
            self.board.acknowledge(number, key, n)
            os._exit(9)
        if chance > 0.02:
            await (self.plain.release(key, who) if self.plain else change.release())
        self.board.acknowledge(number, key, n)


async def main(orders: Orders) -> None:
    async with open_cache(orders.cache, orders.mark, Ledger(orders.database) if orders.is_open else None) as cache:
        process = Process(orders, cache)
        await process.run()
    sys.stdout.write(msgspec.json.encode(process.outcome).decode())


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)))
