"""Each request is counted for itself, without a line in its handler; so is a task that belongs to none."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from pgkeel.access import Database, RepeatedStatement
from pgkeel.access import sync as sync_form
from pgkeel.access.counting import count_tasks, scope
from pgkeel.access.per_request import CountStatements, CountStatementsWsgi
from pgkeel.core.strict import set_strict
from pgkeel.core.url import Url
from pgkeel.schema.models import Post


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


@pytest.fixture(autouse=True)
def _no_counting_of_tasks() -> Iterator[None]:
    yield
    count_tasks(None)


@pytest.fixture
def _in_production() -> Iterator[None]:
    set_strict(False)
    yield
    set_strict(None)


def reading(db: Database) -> Any:
    async def app(request: Any, receive: Any, send: Any) -> None:
        if request["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return
        for number in range(int(request["query_string"])):
            await db.repository(Post).first(Post.title == str(number))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    return app


async def answer(app: Any, path: str = "/posts", reads: int = 0, kind: str = "http") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app({"type": kind, "method": "GET", "path": path, "query_string": str(reads).encode()}, receive, send)
    return sent


async def test_a_request_that_reads_row_by_row_fails_a_test(url: Url) -> None:
    async with Database(url) as db:
        app = CountStatements(reading(db))
        assert (await answer(app, reads=9))[-1]["body"] == b"done"
        assert (await answer(app, reads=9))[0]["status"] == 200
        with pytest.raises(RepeatedStatement, match=r"Post\.filter ran 10 times in GET /posts/…, at "):
            await answer(app, "/posts/7f3a", reads=10)
        assert db.pool.holders() == ()


@pytest.mark.usefixtures("_in_production")
async def test_in_production_requests_at_the_same_time_are_warned_about_apart(url: Url, caplog: pytest.LogCaptureFixture) -> None:
    async with Database(url) as db:
        app = CountStatements(reading(db))
        with caplog.at_level(logging.WARNING):
            await asyncio.gather(answer(app, "/a", 9), answer(app, "/b", 30), answer(app, "/c", 9))
    (said,) = [record.message for record in caplog.records if "repeated_statement" in record.message]
    assert "access.repeated_statement scope=GET /b doing=Post.filter times=10" in said


async def test_what_is_no_request_passes_through(url: Url) -> None:
    async with Database(url) as db:
        assert await answer(CountStatements(reading(db)), kind="lifespan") == [{"type": "lifespan.startup.complete"}]


async def test_a_task_without_a_request_is_counted_for_itself(url: Url) -> None:
    async with Database(url) as db:

        async def job(reads: int) -> None:
            for _ in range(reads):
                await db.repository(Post).get(uuid4())

        await asyncio.create_task(job(20))
        CountStatements(reading(db))
        await asyncio.gather(asyncio.create_task(job(9)), asyncio.create_task(job(9)))
        with pytest.raises(RepeatedStatement, match=r"ran 10 times in task nightly, at "):
            await asyncio.create_task(job(10), name="nightly")


async def test_rounds_of_a_long_task_are_counted_apart(url: Url) -> None:
    async with Database(url) as db:
        count_tasks()

        async def consumer() -> None:
            await db.sql("SELECT 1")
            for _ in range(5):
                with scope("round") as ran:
                    for _ in range(9):
                        await db.repository(Post).get(uuid4())
                assert ran.total == 9

        await asyncio.create_task(consumer())


def test_a_request_of_a_thread_is_counted_until_its_answer_has_been_read(url: Url) -> None:
    closed: list[bool] = []

    class Body:
        def __init__(self, db: sync_form.Database, reads: int) -> None:
            self._db, self._reads = db, reads

        def __iter__(self) -> Iterator[bytes]:
            for _ in range(self._reads):
                self._db.repository(Post).get(uuid4())
                yield b"."

        def close(self) -> None:
            closed.append(True)

    with sync_form.Database(url) as db:
        app = CountStatementsWsgi(lambda environ, _start: Body(db, environ["reads"]))
        given = {"REQUEST_METHOD": "GET", "PATH_INFO": "/users/ada@example.org"}
        for _ in range(3):
            assert b"".join(app({**given, "reads": 9}, print)) == b"." * 9
        with pytest.raises(RepeatedStatement, match=r"in GET /users/…, at "):
            list(app({**given, "reads": 10}, print))
    assert closed == [True] * 4
