"""The unit of work beyond the ORM: hand-written SQL and repositories inside it, retries, commits that nobody knows the end of."""

import asyncio
import inspect
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from pgkeel.access import (
    AlreadyExists,
    CommitUnknown,
    ReadOnly,
    RetryNeeded,
    SchemaChanged,
    Timeout,
    Touched,
    TransactionAborted,
)
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post, User
from tests.access.conftest import done

AT_COMMIT = (
    "CREATE CONSTRAINT TRIGGER at_end AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {}()"
)


async def author_of(db: Any) -> UUID:
    key: UUID = await db.repository(User).insert(email="a@b.c", password_hash="!")
    return key


@pytest.mark.majors
async def test_the_three_doors_open_into_one_transaction(db: Any) -> None:
    author = await author_of(db)
    async with db.transaction() as tx:
        tx.add(Post(user_id=author, title="orm", content="c"))
        key = await done(tx.repository(Post).insert(user_id=author, title="repository", content="c"))
        assert await done(tx.sql("SELECT title FROM posts WHERE id = %(key)s", into=str, key=key)) == ["repository"]
        assert sorted(await done(tx.sql("SELECT title FROM posts", into=str))) == ["orm", "repository"]
        assert await db.repository(Post).count() == 0
    assert await db.repository(Post).count() == 2


async def test_what_the_doors_wrote_is_undone_together(db: Any) -> None:
    author = await author_of(db)
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as tx:
            await done(tx.repository(Post).insert(user_id=author, title="t", content="c"))
            await done(tx.sql("UPDATE users SET username = 'x'"))
            raise RuntimeError
    assert await db.repository(Post).count() == 0
    assert (await db.repository(User).get(author)).username is None


async def test_an_error_that_is_swallowed_does_not_become_a_commit_of_nothing(db: Any) -> None:
    author = await author_of(db)
    with pytest.raises(TransactionAborted):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as tx:
            await done(tx.repository(Post).insert(user_id=author, title="t", content="c"))
            with pytest.raises(AlreadyExists):
                await done(tx.repository(User).insert(email="a@b.c", password_hash="!"))
    assert await db.repository(Post).count() == 0


async def test_a_savepoint_keeps_the_rest(db: Any) -> None:
    author = await author_of(db)
    async with db.transaction() as tx:
        await done(tx.repository(Post).insert(user_id=author, title="kept", content="c"))
        with pytest.raises(AlreadyExists):
            await _nested(tx, lambda: tx.repository(User).insert(email="a@b.c", password_hash="!"))
    assert [row.title for row in await db.repository(Post).filter()] == ["kept"]


async def _nested(tx: Any, work: Any) -> None:
    savepoint = tx.begin_nested()
    if hasattr(savepoint, "__aenter__"):
        async with savepoint:
            await work()
    else:
        with savepoint:
            work()


async def test_isolation_reading_and_time_are_said_at_the_start(db: Any) -> None:
    async with db.transaction(isolation="serializable", read_only=True, statement_timeout=timedelta(seconds=50)) as tx:
        assert await done(tx.sql("SHOW transaction_isolation", into=str)) == ["serializable"]
    with pytest.raises(ReadOnly):
        async with db.transaction(read_only=True) as tx:
            await done(tx.sql("DELETE FROM posts"))
    with pytest.raises(Timeout):
        async with db.transaction(statement_timeout=timedelta(milliseconds=50)) as tx:
            await done(tx.sql("SELECT pg_sleep(5)"))
    assert await db.sql("SHOW statement_timeout", into=str) == ["0"]
    with pytest.raises(UsageError):
        async with db.transaction(isolation="chaos") as tx:
            pass


async def test_nobody_but_the_block_commits(db: Any) -> None:
    async with db.transaction() as tx:
        with pytest.raises(UsageError):
            await done(tx.commit())


async def test_a_rollback_inside_lets_the_block_go_on(db: Any) -> None:
    author = await author_of(db)
    async with db.transaction() as tx:
        await done(tx.repository(Post).insert(user_id=author, title="gone", content="c"))
        await done(tx.rollback())
        await done(tx.repository(Post).insert(user_id=author, title="kept", content="c"))
    assert [row.title for row in await db.repository(Post).filter()] == ["kept"]


async def test_a_setting_made_inside_does_not_reach_the_next_one(open_db: Any) -> None:
    db = await open_db(pool=PoolConfig(min=1, max=1))
    async with db.transaction() as tx:
        await done(tx.sql("SET work_mem = '77MB'"))
    assert await db.sql("SHOW work_mem", into=str) != ["77MB"]


async def test_advisory_locks_last_as_long_as_the_transaction(db: Any) -> None:
    async with db.transaction() as tx:
        await done(tx.lock("invoice", 42))
        async with db.transaction() as other:
            assert not await done(other.try_lock("invoice", 42))
            assert await done(other.try_lock("invoice", "42"))
    async with db.transaction() as tx:
        assert await done(tx.try_lock("invoice", 42))
        with pytest.raises(UsageError):
            await done(tx.lock())


async def test_a_serialization_failure_is_tried_again_with_a_fresh_session(db: Any) -> None:
    author, seen = await author_of(db), []

    async def rename(tx: Any) -> str:
        row = await done(tx.get(User, author))
        seen.append(tx)
        if len(seen) == 1:
            await db.sql("UPDATE users SET username = 'other' WHERE id = %(id)s", id=author)
        row.username = f"{row.username}_too"
        return str(row.username)

    assert await db.run(rename, isolation="repeatable read") == "other_too"
    assert len(set(map(id, seen))) == 2
    assert (await db.repository(User).get(author)).username == "other_too"


async def test_a_function_that_never_gets_through_raises_after_its_last_retry(db: Any) -> None:
    calls = []

    async def collide(tx: Any) -> None:
        calls.append(tx)
        await done(tx.sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))

    with pytest.raises(RetryNeeded):
        await db.run(collide, retries=2)
    assert len(calls) == 3


async def test_an_error_that_no_retry_can_mend_is_not_tried_again(db: Any) -> None:
    calls = []

    async def fail(tx: Any) -> None:
        calls.append(tx)
        await done(tx.repository(User).insert(email="a@b.c", password_hash=None))

    with pytest.raises(Exception, match="may not be NULL"):
        await db.run(fail)
    assert len(calls) == 1


async def test_a_transactional_function_is_called_without_its_transaction(db: Any, colour: str) -> None:
    author = await author_of(db)

    def titled(tx: Any, text: str, *, mark: str) -> Any:
        return tx.repository(Post).insert(user_id=author, title=text + mark, content="c")

    title = (db._inner if colour == "psycopg-sync" else db).transactional(isolation="serializable")(titled)
    key = await done(title("a", mark="!"))
    assert title.__name__ == "titled"
    assert (await db.repository(Post).get(key)).title == "a!"


@pytest.mark.majors
async def test_a_migration_under_a_transaction_is_schema_changed_and_run_again(open_db: Any, url: Url) -> None:
    db = await open_db(pool=PoolConfig(min=1, max=2))
    with connect(url) as other:
        other.execute("CREATE TABLE changing (a int)")
        other.execute("INSERT INTO changing VALUES (1)")
        statement, calls = "SELECT * FROM changing", []
        async with db.transaction() as tx:
            await done(tx.sql("SELECT 1"))  # the first one makes the ORM look at the server, and psycopg forget its statements
        for _ in range(6):
            assert await db.sql(statement) == [{"a": 1}]

        async def read(tx: Any) -> Any:
            calls.append(await done(tx.sql("SELECT 1", into=int)))
            return await done(tx.sql(statement))

        other.execute("ALTER TABLE changing ADD COLUMN b int DEFAULT 2")
        with pytest.raises(SchemaChanged):
            async with db.transaction() as tx:
                await read(tx)
        assert await db.run(read) == [{"a": 1, "b": 2}]
        other.execute("ALTER TABLE changing ADD COLUMN c int DEFAULT 3")
        calls.clear()
        assert await db.run(read) == [{"a": 1, "b": 2, "c": 3}]
    assert len(calls) == 2


async def test_a_connection_that_ends_during_commit_leaves_an_unknown_end(db: Any, superuser: Url) -> None:
    calls = []

    async def write(tx: Any) -> None:
        calls.append(tx)
        await done(
            tx.sql(
                """CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"""
            )
        )
        await done(tx.sql(AT_COMMIT.format("die")))
        tx.add(User(email="a@b.c", password_hash="!"))

    with pytest.raises(CommitUnknown):
        await db.run(write, retries=5)
    assert len(calls) == 1
    assert await db.repository(User).count() == 0


class Listener:
    """Writes down what it is told, in either form."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.told: list[tuple[str, Touched]] = []
        self._refuses = refuses

    async def before_commit(self, touched: Touched) -> None:
        self.told.append(("before", touched))
        if self._refuses:
            raise RuntimeError("refused")

    async def after_commit(self, touched: Touched) -> None:
        self.told.append(("after", touched))
        raise RuntimeError("ignored")

    async def after_rollback(self, touched: Touched) -> None:
        self.told.append(("rollback", touched))

    def in_form(self, colour: str) -> Any:
        return self if colour != "psycopg-sync" else _Plain(self)


class _Plain:
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._listener, name)

        def call(touched: Touched) -> None:
            coroutine = method(touched)
            try:
                coroutine.send(None)
            except StopIteration:
                return

        return call


async def test_hooks_are_told_what_was_written_before_and_after_the_commit(open_db: Any, colour: str) -> None:
    listener = Listener()
    db = await open_db(hooks=[listener.in_form(colour)])
    async with db.transaction() as tx:
        user = User(email="a@b.c", password_hash="!")
        tx.add(user)
        await done(tx.flush())
        await done(tx.execute(insert(Post).values(user_id=user.id, title="t", content="c")))
        await done(tx.execute(update(Post).values(title="u")))
        assert listener.told == []
    (before, touched), (after, _) = listener.told
    assert (before, after) == ("before", "after")
    assert touched.rows == {"users": {(user.id,)}}
    hidden_with_posts = {"comments"}  # an UPDATE of any posts may hide some, and their comments with them
    assert touched.tables == {"users", "posts"} | hidden_with_posts
    assert touched.whole == {"posts"} | hidden_with_posts
    assert not touched.is_unknown


async def test_hooks_are_told_of_a_rollback_and_can_cause_one(open_db: Any, colour: str) -> None:
    listener = Listener(refuses=True)
    db = await open_db(hooks=[listener.in_form(colour)])
    with pytest.raises(RuntimeError, match="refused"):
        async with db.transaction() as tx:
            await done(tx.sql("INSERT INTO users (email, email_bidx, password_hash) VALUES ('sealed', sha256('a@b.c'), '!')"))
    assert [word for word, _ in listener.told] == ["before", "rollback"]
    assert listener.told[0][1].is_unknown
    async with db.transaction() as tx:
        assert await done(tx.sql("SELECT count(*) FROM users", into=int)) == [0]
    assert len(listener.told) == 2


async def test_a_cancelled_commit_tells_nobody_anything(open_db: Any, colour: str) -> None:
    if colour == "psycopg-sync":
        pytest.skip("threads are not cancelled")
    listener = Listener()
    db = await open_db(hooks=[listener])
    began = asyncio.Event()

    async def write() -> None:
        async with db.transaction() as tx:
            await tx.sql(
                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$"
            )
            await tx.sql(AT_COMMIT.format("wait"))
            tx.add(User(email="a@b.c", password_hash="!"))
            began.set()

    task = asyncio.create_task(write())
    await began.wait()
    while not [word for word, _ in listener.told]:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [word for word, _ in listener.told] == ["before"]
    assert await db.repository(User).count() == 0
    assert inspect.iscoroutinefunction(listener.before_commit)
