"""The design's four numbers, counted on the server; the same for tasks and for threads."""

import asyncio
import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql

from pgkeel.access import PoolClosed, PoolExhausted
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post

COUNT = sql.SQL("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = %(name)s AND application_name = 'pgkeel'")


@pytest.fixture
def watcher(superuser: Url, url: Url) -> Iterator[Callable[[], int]]:
    """Counts the handle's connections as the server sees them."""
    with connect(superuser, application="watcher") as connection:
        yield lambda: int((connection.execute(COUNT, {"name": url.database}).fetchone() or {})["n"])


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


class Hold:
    """Holds connections open with transactions: as tasks, or as threads for the sync form."""

    def __init__(self, db: Any, colour: str) -> None:
        self._db, self._is_sync = db, colour == "psycopg-sync"
        self._stop: Any = threading.Event() if self._is_sync else asyncio.Event()
        self.errors: list[BaseException] = []
        self._work: list[Any] = []
        self.running = 0

    def start(self, count: int) -> None:
        for number in range(count):
            if self._is_sync:
                thread = threading.Thread(target=self._thread, name=f"holder-{number}")
                thread.start()
                self._work.append(thread)
            else:
                self._work.append(asyncio.create_task(self._task(), name=f"holder-{number}"))

    def _thread(self) -> None:
        try:
            with self._db._inner.transaction() as session:
                session.connection()
                self.running += 1
                self._stop.wait(30)
        except BaseException as err:  # noqa: BLE001 - the test reports whatever it is
            self.errors.append(err)

    async def _task(self) -> None:
        try:
            async with self._db.transaction() as session:
                await session.connection()
                self.running += 1
                await self._stop.wait()
        except BaseException as err:  # noqa: BLE001 - the test reports whatever it is
            self.errors.append(err)

    async def stop(self) -> None:
        self._stop.set()
        for each in self._work:
            if self._is_sync:
                while each.is_alive():
                    await asyncio.sleep(0.01)
            else:
                await each


async def test_the_defaults_are_the_designs_numbers() -> None:
    config = PoolConfig()
    assert (config.min, config.max) == (2, 10)
    assert (config.idle, config.connect) == (timedelta(seconds=30), timedelta(seconds=2))


async def test_two_connections_are_open_at_the_start_and_none_after_the_end(db: Any, watcher: Callable[[], int]) -> None:
    assert watcher() == 2
    await db.close()
    await until(lambda: watcher() == 0)
    with pytest.raises(PoolClosed):
        await db.repository(Post).get(uuid4())


async def test_both_doors_together_never_hold_more_than_ten(db: Any, colour: str, watcher: Callable[[], int]) -> None:
    hold = Hold(db, colour)
    hold.start(9)
    await until(lambda: hold.running == 9)
    assert await db.repository(Post).get(uuid4()) is None
    assert watcher() <= 10
    hold.start(4)
    await asyncio.sleep(0.1)
    assert watcher() == 10
    assert db.pool.size == 10
    await hold.stop()
    assert hold.errors == []


async def test_the_eleventh_waits_two_seconds_and_learns_who_holds(db: Any, colour: str) -> None:
    hold = Hold(db, colour)
    hold.start(10)
    await until(lambda: hold.running == 10)
    start = time.monotonic()
    with pytest.raises(PoolExhausted) as caught:
        await db.repository(Post).get(uuid4())
    waited = time.monotonic() - start
    assert waited >= 1.99
    assert len(caught.value.holders) == 10
    assert {holder.doing for holder in caught.value.holders} == {"transaction"}
    assert all(holder.held >= timedelta(seconds=1.9) for holder in caught.value.holders)
    assert re.search(r"holder-3 \(transaction\) for \d", str(caught.value))
    await hold.stop()
    assert await db.repository(Post).get(uuid4()) is None


async def test_what_lies_unused_is_closed_down_to_the_minimum(open_db: Any, colour: str, watcher: Callable[[], int]) -> None:
    db = await open_db(pool=PoolConfig(idle=timedelta(milliseconds=700)))
    hold = Hold(db, colour)
    hold.start(8)
    await until(lambda: hold.running == 8)
    assert watcher() == 8
    freed = time.monotonic()
    await hold.stop()
    await until(lambda: watcher() == 2)
    assert time.monotonic() - freed >= 0.6
    await asyncio.sleep(1.0)
    assert watcher() == 2


async def test_an_old_connection_is_replaced(open_db: Any, watcher: Callable[[], int]) -> None:
    db = await open_db(pool=PoolConfig(min=1, lifetime=timedelta(milliseconds=300)))
    first = await db.sql("SELECT pg_backend_pid()", into=int)
    await until(lambda: db.pool.figures().closed > 0 and db.pool.size == 1)
    assert await db.sql("SELECT pg_backend_pid()", into=int) != first
    assert watcher() <= 2


async def test_a_killed_connection_is_noticed_and_replaced(db: Any, superuser: Url, url: Url, watcher: Callable[[], int]) -> None:
    with connect(superuser) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %(name)s", {"name": url.database}
        )
    await until(lambda: watcher() == 0)
    await asyncio.sleep(1.1)
    assert await db.repository(Post).get(uuid4()) is None
    await until(lambda: watcher() == 2)


async def test_a_closed_port_is_an_error_that_says_where(open_db: Any, url: Url) -> None:
    nowhere = Url(user="nobody", host="127.0.0.1", port=1, database="none")
    with pytest.raises(Unreachable, match=r"nobody@127\.0\.0\.1:1/none"):
        await open_db(nowhere)


async def test_a_failed_transaction_gives_its_connection_back(db: Any) -> None:
    for _ in range(30):
        with contextlib.suppress(RuntimeError):
            async with db.transaction() as session:
                await _call(session.connection)
                raise RuntimeError
    assert db.pool.holders() == ()
    assert db.pool.size <= 10


async def _call(method: Callable[[], Any]) -> Any:
    result = method()
    return await result if hasattr(result, "__await__") else result


@pytest.mark.parametrize("rounds", [5, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.parametrize("colour", ["asyncpg", "psycopg-async"], indirect=True)
async def test_a_storm_of_cancellations_leaks_nothing(db: Any, watcher: Callable[[], int], rounds: int) -> None:
    order = random.Random(7)

    async def work() -> None:
        chance = order.random()
        if chance < 0.2:
            async with db.transaction() as session:
                await session.connection()
                await asyncio.sleep(0.001)
        elif chance < 0.4:
            async with db.transaction() as tx:
                await tx.sql("SELECT pg_sleep(0.002)")
                await tx.repository(Post).get(uuid4())
        elif chance < 0.5:
            await db.sql("SET work_mem = '1MB'")
        else:
            await db.repository(Post).get(uuid4())

    for _ in range(rounds):
        tasks = [asyncio.create_task(work()) for _ in range(40)]
        for task in tasks:
            await asyncio.sleep(order.random() * 0.0005)
            if order.random() < 0.8:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: db.pool.holders() == ())
    assert db.pool.size <= 10
    await until(lambda: watcher() <= 10)  # a server learns of a connection that was cut a moment later
    results = await asyncio.gather(*(db.sql("SELECT %(n)s::int AS n", into=int, n=number) for number in range(50)))
    assert results == [[number] for number in range(50)]
    assert set(await asyncio.gather(*(_work_mem(db) for _ in range(20)))) == {"4MB"}
    await until(lambda: db.pool.free == db.pool.size)


async def _work_mem(db: Any) -> Any:
    return (await db.sql("SHOW work_mem", into=str))[0]


async def test_threads_share_one_pool(open_db: Any, colour: str) -> None:
    if colour != "psycopg-sync":
        pytest.skip("threads use the sync form")
    db = await open_db()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                assert db._inner.repository(Post).get(uuid4()) is None
        except BaseException as err:  # noqa: BLE001 - the test reports whatever it is
            errors.append(err)

    threads = [threading.Thread(target=work) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert db.pool.holders() == ()
    assert db.pool.size <= 10
