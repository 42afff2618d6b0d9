"""One process of the race: readers and writers of a few hot rows through the cache, writers that die between COMMIT and release.

It takes its orders on stdin and prints one JSON object. A read is stale when it returns a value older than one whose COMMIT
had been answered before the read began; every answered COMMIT counts, those of killed writers too.
"""

import asyncio
import mmap
import os
import random
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic

import asyncpg
import msgspec

from pgkeel.cache import Cache, CommandRefused, tag
from pgkeel.cache.touched import keys_of
from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret

KEYS = 8
GROUPS = 2
WRITERS = 32
SECRET = "a secret of the race"
SLOW = 0.004


class Orders(msgspec.Struct):
    database: str
    cache: str
    board: str
    seconds: float
    seed: int
    readers: int
    writers: int
    mark: int
    weak: bool = False
    deadly: bool = False


class Outcome(msgspec.Struct):
    reads: int = 0
    hits: int = 0
    stale: int = 0
    writes: int = 0
    lost: int = 0


class Row(msgspec.Struct, frozen=True):
    id: int
    n: int


class Board:
    """What was acknowledged, by all processes: one number a writer and key."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._numbers = memoryview(mmap.mmap(opened.fileno(), 0)).cast("q")

    def newest(self, key: int) -> int:
        return max(self._numbers[key::KEYS])

    def acknowledge(self, writer: int, key: int, n: int) -> None:
        self._numbers[writer * KEYS + key] = n


def open_cache(address: str, mark: int) -> Cache:
    return Cache(
        address,
        secret=Secret(SECRET),
        mark=timedelta(milliseconds=mark),
        lease=timedelta(seconds=1),
        patience=timedelta(seconds=2),
    )


class Process:
    def __init__(self, orders: Orders, cache: Cache) -> None:
        self.orders = orders
        self.cache = cache
        self.rows = cache.rows("race", Row, key=int, ttl="1m")
        self.board = Board(Path(orders.board))
        self.random = random.Random(orders.seed)
        self.end = monotonic() + orders.seconds
        self.outcome = Outcome()

    async def run(self) -> None:
        readers = [self.reader() for _ in range(self.orders.readers)]
        writers = [self.writer(self.orders.seed * 4 + number) for number in range(self.orders.writers)]
        await asyncio.gather(*readers, *writers)
        self.outcome.hits = self.cache.figures.hits

    async def reader(self) -> None:
        connection = await asyncpg.connect(self.orders.database)

        async def load(key: int) -> Row:
            n = await connection.fetchval("SELECT n FROM race WHERE id = $1", key)
            await self.dawdle()
            return Row(key, n)

        @self.cache.cached(tags=lambda group: [tag("race", grp=group)], name="group")
        async def group_rows(group: int) -> list[Row]:
            found = await connection.fetch("SELECT id, n FROM race WHERE grp = $1 ORDER BY id", group)
            await self.dawdle()
            return [Row(*record) for record in found]

        while monotonic() < self.end:
            key = self.random.randrange(KEYS)
            if self.random.random() < 0.3:
                before = [self.board.newest(number) for number in range(KEYS)]
                read = await group_rows(key % GROUPS)
                is_stale = any(row.n < before[row.id] for row in read)
            else:
                newest = self.board.newest(key)
                row = await self.rows.get(key, load)
                is_stale = row is None or row.n < newest
            self.outcome.reads += 1
            self.outcome.stale += is_stale
            if self.random.random() < 0.2:
                await asyncio.sleep(0)
        await connection.close()

    async def dawdle(self) -> None:
        """A slow reader between the query and the fill."""
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.random() * SLOW)

    async def writer(self, number: int) -> None:
        connection = await asyncpg.connect(self.orders.database)
        while monotonic() < self.end:
            key = self.random.randrange(KEYS)
            try:
                await self.write(connection, number, key)
                self.outcome.writes += 1
            except (Unreachable, CommandRefused):
                self.outcome.lost += 1
                with suppress(asyncpg.PostgresError):
                    await connection.execute("ROLLBACK")
                await asyncio.sleep(0.05)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # transaction_timeout ends the connection
                self.outcome.lost += 1
                connection = await asyncpg.connect(self.orders.database)
            await asyncio.sleep(self.random.random() * 0.1)
        await connection.close()

    async def write(self, connection: "asyncpg.Connection[asyncpg.Record]", number: int, key: int) -> None:
        await connection.execute(f"BEGIN; SET LOCAL transaction_timeout = {self.orders.mark * 2 // 3}")
        n = await connection.fetchval("UPDATE race SET n = n + 1 WHERE id = $1 RETURNING n", key)
        change = self.cache.change(self.rows.row(key), tag("race", grp=key % GROUPS))
        if self.orders.weak:
            change._marked = keys_of(change._touched, self.cache._reader.names)  # as if: all that happens is after COMMIT
        else:
            await change.mark()
        await connection.execute("COMMIT")
        chance = self.random.random()
        if chance < 0.1 and self.orders.deadly:
            self.board.acknowledge(number, key, n)
            os._exit(9)
        if chance > 0.02:
            await change.release()
        self.board.acknowledge(number, key, n)


async def main(orders: Orders) -> None:
    async with open_cache(orders.cache, orders.mark) as cache:
        process = Process(orders, cache)
        await process.run()
    sys.stdout.write(msgspec.json.encode(process.outcome).decode())


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)))
