"""What the pool notices by itself: connections that no longer answer, slow statements, who took what where; and what it tells."""

import asyncio
import logging
import os
import signal
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from pgkeel.access import PoolExhausted, Timeout
from pgkeel.access.lasting import taints
from pgkeel.core.config import PoolConfig
from pgkeel.core.meter import Board
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post
from tests.access.conftest import done
from tests.access.test_pool import Hold, until


async def test_a_connection_that_no_longer_answers_is_replaced_before_anybody_gets_it(open_db: Any) -> None:
    db = await open_db(pool=PoolConfig(min=1, connect=timedelta(milliseconds=400), health=timedelta(milliseconds=100)))
    (first,) = await db.sql("SELECT pg_backend_pid()", into=int)
    os.kill(first, signal.SIGSTOP)
    try:
        await until(lambda: db.pool.figures().closed > 0)
        (second,) = await db.sql("SELECT pg_backend_pid()", into=int)
    finally:
        os.kill(first, signal.SIGCONT)
    assert second != first


async def test_asking_does_not_make_an_unused_connection_a_used_one(open_db: Any) -> None:
    db = await open_db(pool=PoolConfig(min=1, idle=timedelta(milliseconds=600), health=timedelta(milliseconds=100)))
    async with db.transaction() as one, db.transaction() as other:
        await done(one.sql("SELECT 1"))
        await done(other.sql("SELECT 1"))
    assert db.pool.size == 2
    await until(lambda: db.pool.size == 1)


async def test_exhaustion_tells_where_the_connections_were_taken(open_db: Any, colour: str) -> None:
    db = await open_db(pool=PoolConfig(min=1, max=2, connect=timedelta(milliseconds=600), owner_stacks=True))
    hold = Hold(db, colour)
    hold.start(2)
    await until(lambda: hold.running == 2)
    with pytest.raises(PoolExhausted) as caught:
        await db.repository(Post).get(uuid4())
    await hold.stop()
    assert all("test_pool.py" in holder.stack[0] for holder in caught.value.holders)
    assert "test_pool.py" in str(caught.value)


async def test_slow_statements_name_their_place_in_the_callers_code(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = await open_db(slow=timedelta(milliseconds=50))
    with caplog.at_level(logging.WARNING):
        await db.sql("SELECT pg_sleep(0.06)")
        async with db.transaction() as tx:
            await done(tx.execute(text("SELECT pg_sleep(0.06)")))
            await done(tx.sql("SELECT pg_sleep(0.06)"))
            await asyncio.sleep(0.06)
    said = [record.message for record in caplog.records if "slow_statement" in record.message]
    assert [line.split()[1] for line in said] == ["doing=sql", "doing=transaction", "doing=sql"]
    assert all("/tests/access/" in line for line in said)


async def test_the_figures_are_published_while_the_handle_is_open(open_db: Any, colour: str) -> None:
    board = Board()
    db = await open_db(pool=PoolConfig(min=1, max=1, connect=timedelta(milliseconds=600)), meter=board)
    assert board.figures()["pool"] | {"opened": 1} == {
        "open": 1, "free": 1, "waiting": 0, "most": 1, "opened": 1, "closed": 0, "exhausted": 0, "waits": 0, "waited_seconds": 0,
    }  # fmt: skip
    hold = Hold(db, colour)
    hold.start(1)
    await until(lambda: hold.running == 1)
    with pytest.raises(PoolExhausted):
        await db.sql("SELECT 1")
    seen = board.figures()["pool"]
    assert (seen["free"], seen["exhausted"], seen["waits"]) == (0, 1, 1)
    assert seen["waited_seconds"] >= 0.6
    await hold.stop()
    await db.close()
    assert board.figures() == {}


async def test_a_statement_timeout_of_the_pool_holds_for_every_door(open_db: Any) -> None:
    db = await open_db(pool=PoolConfig(statement_timeout=timedelta(milliseconds=200)))
    with pytest.raises(Timeout):
        await db.sql("SELECT pg_sleep(5)")
    with pytest.raises(Timeout):
        async with db.transaction() as tx:
            await done(tx.execute(text("SELECT pg_sleep(5)")))


async def test_a_function_that_nobody_knows_may_set_something_and_is_wiped_after(open_db: Any, url: Url) -> None:
    with connect(url) as other:
        other.execute("CREATE FUNCTION quietly() RETURNS text LANGUAGE sql AS $$ SELECT set_config('work_mem', '77MB', false) $$")
    db = await open_db(pool=PoolConfig(min=1, max=1))
    assert await db.sql("SELECT quietly()", into=str) == ["77MB"]
    assert await db.sql("SHOW work_mem", into=str) != ["77MB"]
    async with db.transaction() as tx:
        await done(tx.execute(text("SELECT quietly()")))
    assert await db.sql("SHOW work_mem", into=str) != ["77MB"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT count(*), max(x) FROM t WHERE a IN ($1) AND lower(b) = ANY ($2)", False),
        ("INSERT INTO posts (title) VALUES ('my_func(1)') RETURNING id", False),
        ("WITH a AS (SELECT 1) SELECT coalesce(n::numeric(19, 4), 0) FROM unnest($1::int[]) AS t (n)", False),
        ("SELECT ts_rank(to_tsvector('english', title), websearch_to_tsquery($1)) FROM posts", False),
        ("SET LOCAL work_mem = '1MB'", False),
        ("SELECT * FROM my_report($1)", True),
        ("SELECT app.become($1)", True),
        ("SELECT set_config('a.b', $1, false)", True),
        ("SELECT pg_advisory_lock(1)", True),
        ("SET work_mem = '1MB'", True),
        ("LISTEN x", True),
        ("CREATE TEMP TABLE t (a int)", True),
    ],
)
def test_what_may_outlive_a_statement_is_told_from_its_text(statement: str, expected: bool) -> None:
    assert taints(statement) is expected
