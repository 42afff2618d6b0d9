"""One of two processes that use the recipes on the same keys at once, or naive forms of them; prints what it saw as JSON.

The naive forms ask first and write then, as one does who has read no further than GET and SET.
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from pgkeel.cache import Cache
from pgkeel.cache.recipes import Counter, Leaderboard, Limiter, Lock, Once, Sessions
from pgkeel.core.limits import Rate
from pgkeel.core.secret import Secret

TASKS, TURNS = 12, 12
MOST = 10
JOBS = 40
TOKENS = 30
SECRET = "a secret of two processes"


class Orders(msgspec.Struct):
    cache: str
    folder: str
    number: int
    is_naive: bool = False


class Seen(msgspec.Struct):
    allowed: int = 0
    claimed: int = 0
    entered: int = 0


class Login(msgspec.Struct, frozen=True):
    user: int


class Naive:
    """Every recipe by GET and SET."""

    def __init__(self, cache: Cache) -> None:
        self.call = cache.client.call

    async def take(self, _: str, rate: Rate) -> timedelta | None:
        count = int(await self.call("GET", "{n}limit") or 0)
        if count >= rate.most:
            return rate.per
        await self.call("SET", "{n}limit", count + 1)
        return None

    async def add(self, key: str, by: float) -> None:
        value = float(await self.call("GET", b"{n}" + key.encode()) or 0)
        await self.call("SET", b"{n}" + key.encode(), str(value + by))

    async def value(self, key: str) -> float:
        return float(await self.call("GET", b"{n}" + key.encode()) or 0)

    async def claim(self, job: int) -> bool:
        if await self.call("GET", f"{{n}}job{job}") is not None:
            return False
        await self.call("SET", f"{{n}}job{job}", "1")
        return True

    async def read(self, token: str) -> bool:
        held = await self.call("GET", f"{{n}}{token}")
        if held is not None:
            await self.call("SET", f"{{n}}{token}", held, "PX", 60_000)
        return held is not None

    async def start(self, token: str) -> None:
        await self.call("SET", f"{{n}}{token}", "1", "PX", 60_000)

    async def end(self, token: str) -> None:
        await self.call("DEL", f"{{n}}{token}")

    async def __aenter__(self) -> int:
        while await self.call("GET", "{n}lock") is not None:
            await asyncio.sleep(0.001)
        await self.call("SET", "{n}lock", "1")
        return int(await self.call("INCR", "{n}token"))

    async def __aexit__(self, *_: object) -> None:
        await self.call("DEL", "{n}lock")


class Work:
    def __init__(self, orders: Orders, cache: Cache) -> None:
        self.orders, self.seen, self.folder = orders, Seen(), Path(orders.folder)
        naive: Any = Naive(cache) if orders.is_naive else None
        self.limiter = naive or Limiter(cache)
        self.counter = naive or Counter(cache, "views")
        self.board = naive or Leaderboard(cache, "points")
        self.once = naive or Once(cache, "mail")
        self.sessions = naive or Sessions(cache, Login)
        self.lock: Callable[[], Any] = lambda: naive or Lock(cache, "report")
        self.client = cache.client
        self.is_over = False

    async def run(self) -> Seen:
        await self.meet("begin")
        tokens = msgspec.json.decode(self.folder.joinpath("tokens").read_bytes())
        await asyncio.gather(*[self.task(number) for number in range(TASKS)], *[self.hold() for _ in range(2)])
        await self.meet("sessions")
        readers = [self.read(token) for token in tokens for _ in range(3)]
        await asyncio.gather(*readers, self.end(tokens[self.orders.number :: 2]))
        return self.seen

    async def meet(self, name: str) -> None:
        """Wait for the other process."""
        await self.client.call("INCR", f"{{n}}{name}")
        while int(await self.client.call("GET", f"{{n}}{name}")) < 2:
            await asyncio.sleep(0.001)

    async def task(self, number: int) -> None:
        for turn in range(TURNS):
            wait = await self.limiter.take("login", Rate(MOST, timedelta(hours=1)))
            self.seen.allowed += wait is None
            await self.counter.add("page", 1)
            await self.board.add("ada", 1)
            is_mine = await self.once.claim((number * TURNS + turn) % JOBS)
            self.seen.claimed += is_mine

    async def hold(self) -> None:
        """Count in a file, which only one may do at a time, and note the tokens in their order."""
        for _ in range(5):
            async with self.lock() as token:
                noted = msgspec.json.decode(self.folder.joinpath("noted").read_bytes())
                await asyncio.sleep(0.001)
                part = self.folder.joinpath(f"noted{self.orders.number}{token}")
                part.write_bytes(msgspec.json.encode([*noted, token]))
                part.replace(self.folder / "noted")
                self.seen.entered += 1

    async def read(self, token: str) -> None:
        while not self.is_over and await self.sessions.read(token):
            await asyncio.sleep(0)

    async def end(self, tokens: list[str]) -> None:
        for token in tokens:
            await asyncio.sleep(0.002)
            await self.sessions.end(token)
        await self.meet("ended")
        self.is_over = True


async def main(orders: Orders) -> None:
    async with Cache(orders.cache, secret=Secret(SECRET)) as cache:
        seen = await asyncio.wait_for(Work(orders, cache).run(), 60)
    sys.stdout.write(msgspec.json.encode(seen).decode())


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)))
