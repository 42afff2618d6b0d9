"""Many rows at once: what is refused is named by its place and its constraint, never by its contents."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from pgkeel.access import AlreadyExists, CheckFailed, InvalidValue
from pgkeel.access.outcome import RefusedRow
from pgkeel.core.errors import UsageError
from pgkeel.core.ids import new_id
from pgkeel.core.url import Url
from pgkeel.schema.models import Comment, Event, Post, Role, User
from tests.access.conftest import done
from tests.access.people import new_user, user_fields


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


def post(author: UUID, title: Any = "t", **fields: Any) -> dict[str, Any]:
    return {"user_id": author, "title": title, "content": "c", **fields}


async def test_a_copy_says_which_row_was_refused(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    with pytest.raises(CheckFailed) as caught:
        await posts.insert_many(post(author, " secret" if number != 7 else " ") for number in range(20))
    assert (caught.value.row, caught.value.constraint) == (7, "posts_title_check")
    assert "secret" not in f"{caught.value!s}{caught.value!r}{caught.value.args}"
    with pytest.raises(InvalidValue) as unfit:
        await posts.insert_many(post(author, "t" if number != 3 else 4) for number in range(5))
    assert unfit.value.row == 3
    assert await posts.count() == 0


@pytest.mark.majors
async def test_rows_that_are_refused_are_reported_and_the_others_go_in(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    twice, rows = new_id(), [post(author, f"t{number}", id=new_id()) for number in range(40)]
    rows[3]["title"], rows[11]["user_id"], rows[12]["user_id"] = " ", uuid4(), uuid4()
    rows[20]["id"] = rows[21]["id"] = twice
    rows[30]["title"] = "x" * 300
    rows[39]["user_id"] = None
    done = await posts.insert_valid(iter(rows))
    assert done.count == await posts.count() == 34
    assert done.refused == (
        RefusedRow(3, "check_failed", "posts_title_check", ()),
        RefusedRow(11, "foreign_key_missing", "posts_user_id_fkey", ("user_id",)),
        RefusedRow(12, "foreign_key_missing", "posts_user_id_fkey", ("user_id",)),
        RefusedRow(21, "already_exists", "posts_pkey", ("id",)),
        RefusedRow(30, "invalid_value", "", ()),
        RefusedRow(39, "check_failed", "", ("user_id",)),
    )
    assert await posts.insert_valid([]) == type(done)(0, ())


async def test_uneven_rows_among_many_leave_nothing_and_the_pool_stays_whole(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    rows = [post(author), {"user_id": author}]
    for write in (posts.insert_many, posts.insert_valid, posts.insert_many_returning):
        with pytest.raises(UsageError, match="different fields"):
            await write(rows)
    assert await posts.count() == 0
    with pytest.raises(UsageError):
        await posts.insert_many([{}])
    with pytest.raises(UsageError):
        await posts.insert_many([1])


@pytest.mark.majors
async def test_an_upsert_says_what_is_new_in_the_order_of_the_rows(db: Any) -> None:
    users = db.repository(User)
    old = await users.insert(**user_fields("old"))
    rows = [user_fields(name, username=name) for name in ("new1", "old", "new2")]
    done = await users.upsert_many(rows, on="email")
    assert [item.inserted for item in done] == [True, False, True]
    assert done[1].id == old
    assert ((await users.get(old)).username, (await users.get(old)).version) == ("old", 2)
    assert (await users.get(done[2].id)).username == "new2"


async def test_of_two_rows_with_one_key_the_later_counts(db: Any) -> None:
    roles = db.repository(Role)
    rows = [{"name": "guest", "description": text} for text in ("first", "second")] + [{"name": "host", "description": "x"}]
    done = await roles.upsert_many(rows, on="name")
    assert done[0] == done[1]
    assert [item.inserted for item in done] == [True, True, True]
    assert (await roles.get(done[0].id)).description == "second"


async def test_an_upsert_that_changes_nothing_returns_the_new_ones_only(db: Any) -> None:
    roles = db.repository(Role)
    await roles.insert(name="guest", description="first")
    done = await roles.upsert_many([{"name": name, "description": "x"} for name in ("guest", "host")], on="name", update=())
    assert [(item.inserted, (await roles.get(item.id)).name) for item in done] == [(True, "host")]
    assert (await roles.first(Role.name == "guest")).description == "first"


async def test_an_upsert_on_what_is_not_unique_or_not_given_is_refused(db: Any) -> None:
    with pytest.raises(UsageError, match="email"):
        await db.repository(User).upsert_many([{"username": "x"}], on="email")
    with pytest.raises(AlreadyExists):
        await db.repository(Role).upsert_many([{"id": uuid4(), "name": "admin", "description": ""}])


@pytest.mark.majors
async def test_an_upsert_reaches_the_partitions(db: Any) -> None:
    events, at = db.repository(Event), datetime(2024, 1, 5, tzinfo=UTC)
    rows = [{"id": new_id(), "occurred_at": at, "type": "sale", "amount": Decimal(n), "currency": "EUR"} for n in range(3)]
    assert [item.inserted for item in await events.upsert_many(rows[:2], on=("id", "occurred_at"))] == [True, True]
    done = await events.upsert_many([{**row, "amount": Decimal(7)} for row in rows], on=("id", "occurred_at"))
    assert [item.inserted for item in done] == [False, False, True]
    assert {row.amount for row in await events.filter()} == {Decimal(7)}


async def test_many_rows_change_by_their_ids_and_stale_ones_do_not(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    keys = await posts.insert_many_returning(post(author, f"t{number}") for number in range(4))
    await posts.update(keys[1], version=1, title="theirs")
    await posts.soft_delete(keys[2])
    rows = [{"id": key, "version": 1, "title": "mine", "metadata": {"n": 1}} for key in [*keys, uuid4()]]
    assert set(await posts.update_many(rows)) == {keys[0], keys[3]}
    assert [(row.title, row.metadata) for row in await posts.get_many([keys[0]])] == [("mine", {"n": 1})]
    assert (await posts.get(keys[1])).title == "theirs"
    assert set(await posts.update_many([{"id": key, "title": "last"} for key in keys[:2]])) == set(keys[:2])
    assert await posts.with_deleted().update_many([{"id": keys[2], "content": "hidden"}]) == [keys[2]]
    with pytest.raises(UsageError, match="id"):
        await posts.update_many([{"title": "x"}])


async def test_many_rows_are_hidden_shown_and_deleted_by_their_ids(db: Any) -> None:
    author, posts, comments = await new_user(db), db.repository(Post), db.repository(Comment)
    keys = await posts.insert_many_returning(post(author, status=status) for status in ("draft", "archived", "draft"))
    await comments.insert(post_id=keys[1], user_id=author, content="well")
    assert set(await posts.soft_delete_many([*keys[:2], uuid4()])) == set(keys[:2])
    assert await posts.soft_delete_many(keys[:2]) == []
    assert (await posts.count(), await comments.count()) == (1, 0)
    assert set(await posts.restore_many(keys)) == set(keys[:2])
    assert ((await posts.get(keys[1])).status, await comments.count()) == ("archived", 1)
    assert set(await posts.delete_many([*keys, uuid4()])) == set(keys)
    with pytest.raises(UsageError, match="soft delete"):
        await db.repository(Role).soft_delete_many([uuid4()])


async def test_a_write_in_several_statements_is_one_all_or_none(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgkeel.access.batch._MOST", 3)
    author, posts = await new_user(db), db.repository(Post)
    rows = [post(author, f"t{number}") for number in range(10)]
    with db.expect(queries=1), db.as_actor("user:7"):
        keys = await posts.insert_many_returning(rows)
    titles = {row.id: row.title for row in await posts.get_many(keys)}
    assert [titles[key] for key in keys] == [f"t{number}" for number in range(10)]
    again = [post(author, f"u{number}", id=key) for number, key in enumerate(keys)] + [post(author, "new", id=new_id())]
    assert [item.inserted for item in await posts.upsert_many(again)] == [False] * 10 + [True]
    again[10]["title"] = " "
    for write in (posts.upsert_many, posts.update_many, posts.insert_many_returning):
        with pytest.raises((CheckFailed, AlreadyExists)):
            await write(again)
    async with db.transaction() as tx:
        with db.expect(queries=1):
            changed = await done(tx.repository(Post).update_many([{"id": key, "title": "z"} for key in keys]))
    assert (set(changed), await posts.count(Post.title == "z"), await posts.count()) == (set(keys), 10, 11)
    assert (db.pool.holders(), db.pool.free) == ((), db.pool.size)


@pytest.mark.parametrize("colour", ["asyncpg", "psycopg-async"], indirect=True)
async def test_a_write_in_several_statements_that_is_cancelled_leaves_nothing(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgkeel.access.batch._MOST", 2)
    author, posts, order = await new_user(db), db.repository(Post), random.Random(3)
    for _ in range(30):
        with suppress(TimeoutError):
            await asyncio.wait_for(posts.insert_many_returning([post(author) for _ in range(20)]), order.random() * 0.02)
    assert await posts.count() % 20 == 0
    assert db.pool.holders() == ()
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%%'"
    async with asyncio.timeout(30):  # a server learns of a connection that was cut a moment later
        while await db.sql(idle, into=int) != [0]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("write", ["insert_many", "insert_many_returning", "upsert_many", "update_many"])
async def test_a_text_that_is_too_long_is_refused_and_never_cut_off(db: Any, write: str) -> None:
    author, posts = await new_user(db), db.repository(Post)
    key = await posts.insert(**post(author, "x" * 255))
    with pytest.raises(InvalidValue):
        await getattr(posts, write)([post(author, "x" * 256, id=key)])
    assert (await posts.get(key)).version == 1
    assert await posts.count(Post.title.in_(["x" * 256])) == 0
    assert await posts.count(Post.title == "x" * 256) == 0
    assert await posts.count(Post.title.in_(["x" * 255])) == 1


@pytest.mark.parametrize("write", ["insert_many", "insert_valid", "insert_many_returning"])
async def test_an_error_of_the_callers_rows_comes_out_as_it_is(db: Any, write: str) -> None:
    author, posts = await new_user(db), db.repository(Post)

    def rows() -> Iterator[dict[str, Any]]:
        yield post(author)
        raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        await getattr(posts, write)(rows())
    assert await posts.count() == 0
