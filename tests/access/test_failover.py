"""A server that is killed and comes back while callers work: no wrong result, nobody hangs, and the service goes on."""

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pgkeel.access import Database
from pgkeel.access import sync as sync_form
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError
from pgkeel.core.url import Url
from pgkeel.local import Cluster

pytestmark = pytest.mark.faults
MakeCluster = Callable[..., Cluster]
_HANGS = 20


class Tally:
    """What the callers saw."""

    def __init__(self) -> None:
        self.good = self.failed = 0
        self.wrong: list[object] = []
        self.acknowledged: set[int] = set()

    def note(self, asked: int, got: object) -> None:
        self.good += 1
        if got != [asked]:
            self.wrong.append((asked, got))


def _started(make_cluster: MakeCluster) -> tuple[Cluster, Url]:
    cluster = make_cluster()
    cluster.start()
    cluster.create_database("load")
    return cluster, cluster.superuser_url("load")


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_tasks_go_on_after_the_server_was_killed_under_them(make_cluster: MakeCluster, driver: str) -> None:
    cluster, url = _started(make_cluster)
    tally, stop = Tally(), asyncio.Event()
    async with Database(url, driver=driver, pool=PoolConfig(max=6)) as db:
        await db.sql("CREATE TABLE written (n int PRIMARY KEY)")
        work = [asyncio.create_task(_reads(db, tally, stop, number)) for number in range(12)]
        work.append(asyncio.create_task(_writes(db, tally, stop)))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(cluster.kill)
        before = tally.good
        await asyncio.sleep(0.2)
        await asyncio.to_thread(cluster.start)
        async with asyncio.timeout(_HANGS):
            while tally.good < before + 200:
                await asyncio.sleep(0.02)
        stop.set()
        async with asyncio.timeout(_HANGS):
            await asyncio.gather(*work)
        kept = set(await db.sql("SELECT n FROM written", into=int))
        assert db.pool.holders() == ()
    assert tally.wrong == []
    assert tally.failed > 0
    assert tally.acknowledged <= kept


async def _reads(db: Database, tally: Tally, stop: asyncio.Event, number: int) -> None:
    order = random.Random(number)
    while not stop.is_set():
        asked = order.randrange(1_000_000)
        try:
            async with asyncio.timeout(_HANGS):
                if order.random() < 0.3:
                    async with db.transaction() as tx:
                        got = await tx.sql("SELECT %(n)s::int", into=int, n=asked)
                else:
                    got = await db.sql("SELECT %(n)s::int", into=int, n=asked)
        except KeelError:
            tally.failed += 1
            await asyncio.sleep(0.02)
        else:
            tally.note(asked, got)


async def _writes(db: Database, tally: Tally, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        try:
            async with db.transaction() as tx:
                await tx.sql("INSERT INTO written VALUES (%(n)s)", n=number)
        except KeelError:
            await asyncio.sleep(0.02)
        else:
            tally.acknowledged.add(number)


def test_threads_go_on_after_the_server_was_killed_under_them(make_cluster: MakeCluster) -> None:
    cluster, url = _started(make_cluster)
    tally, stop = Tally(), threading.Event()
    with sync_form.Database(url, pool=PoolConfig(max=6)) as db:
        threads = [threading.Thread(target=_reads_plainly, args=(db, tally, stop, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        stop.wait(0.3)
        cluster.kill()
        before = tally.good
        stop.wait(0.2)
        cluster.start()
        for _ in range(_HANGS * 10):
            if tally.good > before + 100:
                break
            stop.wait(0.1)
        stop.set()
        for thread in threads:
            thread.join(_HANGS)
        assert not any(thread.is_alive() for thread in threads)
        assert db.pool.holders() == ()
    assert tally.good > before + 100
    assert tally.wrong == []
    assert tally.failed > 0


def _reads_plainly(db: Any, tally: Tally, stop: threading.Event, number: int) -> None:
    order = random.Random(number)
    while not stop.is_set():
        asked = order.randrange(1_000_000)
        try:
            got = db.sql("SELECT %(n)s::int", into=int, n=asked)
        except KeelError:
            tally.failed += 1
            stop.wait(0.02)
        else:
            tally.note(asked, got)
