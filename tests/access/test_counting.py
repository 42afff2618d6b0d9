"""How many statements ran, from where, and what happens when one runs again and again."""

import asyncio
import logging
import threading
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from pgkeel.access import RepeatedStatement, UnexpectedCount
from pgkeel.access.counting import count_tasks, scope
from pgkeel.core.errors import UsageError
from pgkeel.core.strict import is_strict, set_strict
from pgkeel.schema.models import Post
from tests.access.conftest import done


async def test_the_statements_of_all_doors_are_counted(db: Any) -> None:
    with db.expect(queries=4) as counter:
        await db.repository(Post).get(uuid4())
        await db.sql("SELECT 1")
        async with db.transaction() as tx:
            await done(tx.scalar(select(Post.id)))
            await done(tx.sql("SELECT 2"))
    assert counter.total == 4


async def test_another_number_than_expected_names_the_statements_and_their_places(db: Any) -> None:
    said = r"statements: 2 ran instead of 1: 2 x Post.get at .*/tests/access/"
    with pytest.raises(UnexpectedCount, match=said), db.expect(queries=1):  # noqa: PT012 - the block is what is counted
        for _ in range(2):
            await db.repository(Post).get(uuid4())
    with db.expect(at_most=1):
        pass
    with pytest.raises(AssertionError), db.expect(at_most=0):
        await db.sql("SELECT 1")
    with pytest.raises(UsageError), db.expect():
        pass


async def test_one_statement_for_every_row_is_an_error_in_tests(db: Any) -> None:
    assert is_strict()
    said = r"Post.get ran 10 times in GET /posts, at .*/tests/access/"
    with pytest.raises(RepeatedStatement, match=said), scope("GET /posts"):  # noqa: PT012 - the block is what is counted
        for _ in range(20):
            await db.repository(Post).get(uuid4())
    with scope(many=None):
        for _ in range(20):
            await db.repository(Post).get(uuid4())


async def test_the_second_door_is_watched_too(db: Any) -> None:
    with pytest.raises(RepeatedStatement), scope():  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as tx:
            for number in range(20):
                await done(tx.scalar(select(Post.id).where(Post.title == str(number))))
    assert db.pool.holders() == ()


async def test_in_production_it_is_one_warning(db: Any, caplog: pytest.LogCaptureFixture) -> None:
    set_strict(False)
    try:
        with caplog.at_level(logging.WARNING), scope("GET /posts"):
            for _ in range(20):
                await db.repository(Post).get(uuid4())
    finally:
        set_strict(None)
    (record,) = caplog.records
    assert "access.repeated_statement scope=GET /posts doing=Post.get times=10 at=" in record.message


async def test_tasks_of_a_request_count_together_and_requests_apart(db: Any, colour: str) -> None:
    if colour == "psycopg-sync":
        pytest.skip("threads do not inherit a scope")

    async def request(count: int) -> int:
        with scope(many=None) as counter:
            await asyncio.gather(*(db.sql("SELECT 1") for _ in range(count)))
            return counter.total

    assert list(await asyncio.gather(request(3), request(5))) == [3, 5]


async def test_one_statement_for_several_requests_counts_once_in_each_of_them(db: Any, colour: str) -> None:
    posts = db.repository(Post)

    async def request(reads: int) -> int:
        with scope(many=None) as counter:
            await asyncio.gather(*(posts.get(uuid4()) for _ in range(reads)))
            return counter.total

    await posts.get(uuid4())
    if colour == "psycopg-sync":
        with db.expect(queries=3):
            assert [await request(1), await request(2)] == [1, 2]
    else:
        with db.expect(queries=2):  # the first read alone, and one statement for all others
            assert list(await asyncio.gather(request(1), request(1), request(5))) == [1, 1, 1]


async def test_reads_in_a_loop_are_found_in_the_request_that_makes_them_whoever_reads_beside_it(db: Any, colour: str) -> None:
    if colour == "psycopg-sync":
        _in_threads(db._inner)
        return
    posts, ends = db.repository(Post), asyncio.Event()

    async def bystander() -> int:
        with scope("job", many=None) as counter:
            while not ends.is_set():
                await posts.get(uuid4())
            return counter.total

    async def loop() -> None:
        with scope("GET /posts"):
            for _ in range(20):
                await posts.get(uuid4())

    beside = asyncio.create_task(bystander())
    await asyncio.sleep(0)
    with pytest.raises(RepeatedStatement, match=r"Post.get ran 10 times in GET /posts, at .*/tests/access/test_counting"):
        await loop()
    ends.set()
    assert await beside > 0


def _in_threads(db: Any) -> None:
    posts, ends, seen = db.repository(Post), threading.Event(), list[int]()

    def bystander() -> None:
        with scope("job", many=None) as counter:
            while not ends.is_set():
                posts.get(uuid4())
            seen.append(counter.total)

    beside = threading.Thread(target=bystander)
    beside.start()
    try:
        with pytest.raises(RepeatedStatement, match=r"Post.get ran 10 times in GET /posts"), scope("GET /posts"):  # noqa: PT012 - the block is what is counted
            for _ in range(20):
                posts.get(uuid4())
    finally:
        ends.set()
        beside.join()
    assert len(seen) == 1


async def test_a_task_without_a_scope_counts_its_gathered_reads_itself(db: Any, colour: str) -> None:
    if colour == "psycopg-sync":
        pytest.skip("a thread has no task")
    posts = db.repository(Post)

    async def loop(times: int) -> None:
        for _ in range(times):
            await posts.get(uuid4())

    count_tasks()
    try:
        tasks = [asyncio.create_task(loop(times), name=f"of-{times}") for times in (9, 20)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        count_tasks(None)
    assert found[0] is None
    assert isinstance(found[1], RepeatedStatement)
    assert "ran 10 times in task of-20" in str(found[1])
