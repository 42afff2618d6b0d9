"""The second door: an ORM session on the same pool, committed as a whole."""

import inspect
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import InvalidRequestError

from pgkeel.access import AlreadyExists, Conflict
from pgkeel.schema.models import Post, User


async def done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def author_of(db: Any) -> UUID:
    key: UUID = await db.repository(User).insert(email="a@b.c", password_hash="!")
    return key


@pytest.mark.majors
async def test_a_unit_of_work_commits_as_a_whole(db: Any) -> None:
    author = await author_of(db)
    async with db.transaction() as session:
        session.add(Post(user_id=author, title="t", content="c", metadata_={"a": 1}))
        session.add(Post(user_id=author, title="u", content="c"))
    assert sorted(row.title for row in await db.repository(Post).filter()) == ["t", "u"]


async def test_an_error_rolls_everything_back(db: Any) -> None:
    author = await author_of(db)
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as session:
            session.add(Post(user_id=author, title="t", content="c"))
            await done(session.flush())
            raise RuntimeError
    assert await db.repository(Post).count() == 0


async def test_the_servers_errors_are_ours_here_too(db: Any) -> None:
    await author_of(db)
    with pytest.raises(AlreadyExists) as caught:
        async with db.transaction() as session:
            session.add(User(email="a@b.c", password_hash="!"))
    assert caught.value.constraint == "idx_users_email"
    assert "a@b.c" not in f"{caught.value!s}{caught.value!r}"


async def test_a_row_changed_by_somebody_else_is_a_conflict(db: Any) -> None:
    author, posts = await author_of(db), db.repository(Post)
    key = await posts.insert(user_id=author, title="t", content="c")
    with pytest.raises(Conflict):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as session:
            post = await done(session.get(Post, key))
            await posts.update(key, version=1, title="theirs")
            post.title = "mine"
    assert (await posts.get(key)).title == "theirs"


async def test_what_was_not_asked_for_is_not_loaded(db: Any) -> None:
    author = await author_of(db)
    await db.repository(Post).insert(user_id=author, title="t", content="c")
    with pytest.raises(InvalidRequestError):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as session:
            post = await done(session.scalar(select(Post)))
            assert post.user is not None


async def test_reads_and_units_of_work_take_turns_on_one_connection(open_db: Any) -> None:
    from pgkeel.core.config import PoolConfig

    db = await open_db(pool=PoolConfig(min=1, max=1))
    for _ in range(5):
        assert await db.repository(Post).get(uuid4()) is None
        async with db.transaction() as session:
            await done(session.execute(text("SET work_mem = '77MB'")))
        assert await db.sql("SHOW work_mem", into=str) != ["77MB"]
        assert await db.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%%' AND datname = current_database()", into=int
        ) == [0]
    assert db.pool.size == 1
