"""One process of a race in which programs of two ages declare different columns: it writes rows and counts them by a column.

It takes its orders on stdin and prints how many counts it made, how many hits there were, and how many counts lacked a row whose
COMMIT had been answered before the count began; those of killed writers are counted too.
"""

import asyncio
import mmap
import os
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel import access
from pgkeel.access._async.caching import Caching
from pgkeel.cache import Cache, CommandRefused
from pgkeel.cache._async.declared import Declared, Heard
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError
from pgkeel.core.secret import Secret
from pgkeel.schema.caching import Row

VALUES = 4
WRITERS = 3
READERS = 6
PLACES = {"grp": 0, "kind": VALUES}
_LATE = 0.01


class Orders(msgspec.Struct):
    database: str
    cache: str
    board: str
    seconds: float
    seed: int
    columns: tuple[str, ...]
    mark: int
    life: int
    hears: bool = True
    rounds: int = 1
    deadly: bool = False


class Outcome(msgspec.Struct):
    reads: int = 0
    hits: int = 0
    stale: int = 0
    relied: int = 0
    exact: int = 0


def model_of(columns: tuple[str, ...]) -> Any:
    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "things"
        cache = Row(tags=columns)
        id: Mapped[int] = mapped_column(sqlalchemy.BigInteger, sqlalchemy.Identity(), primary_key=True)
        grp: Mapped[int]
        kind: Mapped[int]

    return Thing


class Process:
    def __init__(self, orders: Orders, cache: Cache, outcome: Outcome) -> None:
        self.orders, self.cache, self.outcome = orders, cache, outcome
        self.model = model_of(orders.columns)
        with Path(orders.board).open("r+b") as opened:
            self.board = memoryview(mmap.mmap(opened.fileno(), 0)).cast("q")
        self.dice = Random()
        self.doing: dict[Any, tuple[int, int, int]] = {}
        if orders.deadly:  # before a handle takes the method
            Caching.after_commit = self.after_commit_or_death(Caching.after_commit)  # type: ignore[method-assign]

    async def run(self, db: Any) -> None:
        self.db, self.things = db, db.repository(self.model)
        self.end = monotonic() + self.orders.seconds
        await asyncio.gather(*(self.reader() for _ in range(READERS)), *(self.writer(number) for number in range(WRITERS)))

    def after_commit_or_death(self, after: Any) -> Any:
        async def dies(caching: Any, touched: Any) -> None:
            if self.dice.random() < 0.01:
                self.acknowledge(*self.doing[asyncio.current_task()])
                os._exit(9)
            await after(caching, touched)

        return dies

    def acknowledge(self, writer: int, grp: int, kind: int) -> None:
        row = (self.orders.seed * WRITERS + writer) * 2 * VALUES
        self.board[row + grp] += 1
        self.board[row + VALUES + kind] += 1

    async def writer(self, number: int) -> None:
        while monotonic() < self.end:
            doing = number, self.dice.randrange(VALUES), self.dice.randrange(VALUES)
            self.doing[asyncio.current_task()] = doing
            try:
                await self.things.insert(grp=doing[1], kind=doing[2])
            except (KeelError, CommandRefused):
                await asyncio.sleep(_LATE)
                continue
            self.acknowledge(*doing)
            self.outcome.exact += "things" in self.cache.declared.heard.agreed
            await asyncio.sleep(self.dice.random() * 0.05)

    async def reader(self) -> None:
        column = self.orders.columns[-1]

        @self.cache.cached(tags=lambda value: [self.db.tag(self.model, **{column: value})], name=f"by {column}")
        async def count(value: int) -> int:
            found = await self.things.count(getattr(self.model, column) == value)
            await asyncio.sleep(self.dice.random() * _LATE)
            return int(found)

        while monotonic() < self.end:
            value = self.dice.randrange(VALUES)
            least = sum(self.board[PLACES[column] + value :: 2 * VALUES])
            self.outcome.stale += await count(value) < least
            self.outcome.reads += 1
            self.outcome.relied += column in self.cache.declared.heard.relied.get("things", ())
            await asyncio.sleep(0)


def deafen(declared: Declared) -> None:
    """Believe that everybody declares what we do, as before there was anything to hear."""

    async def now() -> Heard:
        return Heard(declared.columns, frozenset(declared.columns), b"", monotonic() + 1e9)

    declared.now = now  # type: ignore[method-assign]


async def one_round(orders: Orders, outcome: Outcome) -> None:
    mark = timedelta(milliseconds=orders.mark)
    cache = Cache(orders.cache, secret=Secret("a secret of the race"), mark=mark, lease=mark / 2, on_outage="closed")
    cache.declared.life = orders.life
    if not orders.hears:
        deafen(cache.declared)
    process = Process(orders, cache, outcome)
    async with cache, access.Database(orders.database, cache=cache, pool=PoolConfig(connect=timedelta(seconds=20))) as db:
        await process.run(db)
    outcome.hits += cache.figures.hits


async def main(orders: Orders) -> None:
    outcome = Outcome()
    for number in range(orders.rounds):
        if number:  # what we declare ends
            await asyncio.sleep(1.2 * orders.life / 1000)
        await one_round(orders, outcome)
    sys.stdout.write(msgspec.json.encode(outcome).decode())


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)))
