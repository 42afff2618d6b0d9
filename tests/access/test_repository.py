"""Reads and writes through repositories, the same for every colour and driver."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import func

from pgkeel.access import AlreadyExists, CheckFailed, Conflict, ForeignKeyMissing, InvalidValue, NotFound
from pgkeel.core.errors import UsageError
from pgkeel.core.ids import new_id
from pgkeel.schema.models import Comment, Event, Post, Role, Session, UserRole
from pgkeel.schema.rows import PostRow
from tests.access.people import new_user

pytestmark = pytest.mark.majors


async def test_an_inserted_row_is_read_back_as_its_struct(db: Any) -> None:
    author = await new_user(db)
    key = await db.repository(Post).insert(user_id=author, title="A", content="B", metadata={"tags": ["x", 1, None]})
    row = await db.repository(Post).get(key)
    assert type(row) is PostRow
    assert (row.id, row.user_id, row.title, row.metadata) == (key, author, "A", {"tags": ["x", 1, None]})
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.version == 1


async def test_a_missing_row_is_none_or_an_error(db: Any) -> None:
    assert await db.repository(Post).get(uuid4()) is None
    with pytest.raises(NotFound, match="Post"):
        await db.repository(Post).get_one(uuid4())


async def test_an_inserted_row_comes_back_whole(db: Any) -> None:
    row = await db.repository(Role).insert_row(name="editor", description="edits")
    assert (row.name, row.version) == ("editor", 1)


async def test_conditions_are_typed_and_share_one_statement(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    for number in range(5):
        await posts.insert(user_id=author, title=f"t{number}", content="c", status="archived" if number % 2 else "draft")
    drafts = await posts.filter(Post.status == "draft", order_by=Post.title)
    archived = await posts.filter(Post.status == "archived", order_by="-title")
    assert [row.title for row in drafts] == ["t0", "t2", "t4"]
    assert [row.title for row in archived] == ["t3", "t1"]
    assert await posts.count(Post.title.in_(["t0", "t1", "none"])) == 2
    assert await posts.count(Post.title.in_(["t0"])) == 1
    assert await posts.count(Post.title.in_([])) == 0
    assert await posts.count(Post.title.not_in(["t0", "t1"])) == 3
    assert await posts.count(Post.title.like("t%"), Post.created_at > datetime(2020, 1, 1, tzinfo=UTC)) == 5
    assert await posts.count((Post.title == "t0") | (Post.title == "t4")) == 2
    assert await posts.count(Post.metadata_["tags"].astext == "x") == 0
    first = await posts.first(Post.user_id == author, order_by=Post.title.desc())
    assert first is not None
    assert first.title == "t4"


async def test_many_ids_are_read_at_once(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    keys = [await posts.insert(user_id=author, title="t", content="c") for _ in range(3)]
    assert {row.id for row in await posts.get_many([*keys, uuid4()])} == set(keys)


async def test_aggregates_come_as_structs_or_dicts(db: Any) -> None:
    class StatusCount(msgspec.Struct, frozen=True):
        status: str
        posts: int

    author, posts = await new_user(db), db.repository(Post)
    for status in ("draft", "draft", "archived"):
        await posts.insert(user_id=author, title="t", content="c", status=status)
    found = await posts.aggregate(Post.user_id == author, by=[Post.status], posts=func.count(), into=StatusCount)
    assert found == [StatusCount("archived", 1), StatusCount("draft", 2)]
    assert await posts.aggregate(posts=func.count(), last=func.max(Post.title)) == [{"posts": 3, "last": "t"}]


async def test_money_comes_back_exact(db: Any) -> None:
    at = datetime(2024, 1, 5, 12, tzinfo=UTC)
    events = db.repository(Event)
    key = await events.insert(type="sale", occurred_at=at, amount=Decimal("1.1000"), currency="EUR")
    assert (await events.get(key)).amount == Decimal("1.1000")
    assert await events.aggregate(total=func.sum(Event.amount)) == [{"total": Decimal("1.1000")}]


async def test_a_stale_update_is_refused_with_both_sides(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    key = await posts.insert(user_id=author, title="first", content="c")
    row = await posts.update(key, version=1, title="second")
    assert (row.title, row.version) == ("second", 2)
    with pytest.raises(Conflict) as caught:
        await posts.update(key, version=1, title="mine")
    theirs: Any = caught.value.theirs
    assert (theirs.title, caught.value.yours) == ("second", {"title": "mine"})
    assert "second" not in f"{caught.value!s}{caught.value!r}{caught.value.args}"
    assert "mine" not in f"{caught.value!s}{caught.value!r}{caught.value.args}"


async def test_an_update_by_plain_sql_is_seen_by_the_lock(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    key = await posts.insert(user_id=author, title="first", content="c")
    await db.sql("UPDATE posts SET title = %(title)s", title="bulk")
    with pytest.raises(Conflict):
        await posts.update(key, version=1, title="mine")


async def test_an_update_of_nothing_is_not_found(db: Any) -> None:
    with pytest.raises(NotFound):
        await db.repository(Post).update(uuid4(), version=1, title="x")
    with pytest.raises(UsageError):
        await db.repository(Post).update(uuid4(), version=1)


async def test_without_a_version_the_last_writer_wins(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    key = await posts.insert(user_id=author, title="first", content="c")
    await posts.update(key, version=1, title="second")
    assert (await posts.update(key, version=None, title="third")).title == "third"


async def test_soft_deleted_rows_are_invisible_and_come_back_with_their_children(db: Any) -> None:
    author, posts, comments = await new_user(db), db.repository(Post), db.repository(Comment)
    key = await posts.insert(user_id=author, title="t", content="c", status="archived")
    comment = await comments.insert(post_id=key, user_id=author, content="well")
    assert await posts.soft_delete(key)
    assert not await posts.soft_delete(key)
    assert await posts.get(key) is None
    assert await posts.count() == 0
    assert await comments.get(comment) is None
    with pytest.raises(NotFound):
        await posts.update(key, version=None, title="x")
    assert (await posts.with_deleted().get(key)).status == "deleted"
    assert await posts.restore(key)
    assert not await posts.restore(key)
    assert (await posts.get(key)).status == "archived"
    assert await comments.get(comment) is not None


async def test_a_model_without_soft_delete_says_so(db: Any) -> None:
    with pytest.raises(UsageError, match="soft delete"):
        await db.repository(Session).soft_delete(uuid4())


async def test_a_row_is_deleted_for_good(db: Any) -> None:
    author, sessions = await new_user(db), db.repository(Session)
    expires = datetime.now(UTC) + timedelta(days=1)
    key = await sessions.insert(user_id=author, token="a" * 64, expires_at=expires)
    assert await sessions.delete(key)
    assert not await sessions.delete(key)


async def test_composite_keys_are_tuples(db: Any) -> None:
    author = await new_user(db)
    role = (await db.repository(Role).first(Role.name == "admin")).id
    links = db.repository(UserRole)
    row = await links.insert_row(user_id=author, role_id=role)
    assert await links.get((author, role)) == row
    with pytest.raises(UsageError, match="user_id, role_id"):
        await links.get(author)


@pytest.mark.parametrize("returning", [False, True])
async def test_many_rows_go_in_at_once(db: Any, returning: bool) -> None:
    author, posts = await new_user(db), db.repository(Post)
    keys = [new_id() for _ in range(500)]
    rows = (
        {"id": key, "user_id": author, "title": f"t{n}", "content": "é\t\\N\n", "metadata": {"n": n}}
        for n, key in enumerate(keys)
    )
    done = await (posts.insert_many_returning(rows) if returning else posts.insert_many(rows))
    assert done == (keys if returning else 500)
    row = await posts.get(keys[7])
    assert (row.title, row.content, row.metadata) == ("t7", "é\t\\N\n", {"n": 7})


async def test_no_rows_are_no_work(db: Any) -> None:
    assert await db.repository(Post).insert_many([]) == 0
    assert await db.repository(Post).insert_many_returning([]) == []


async def test_money_and_nulls_go_in_by_copy(db: Any) -> None:
    at, events = datetime(2024, 1, 5, tzinfo=UTC), db.repository(Event)
    given = [
        {"type": "sale", "occurred_at": at, "amount": Decimal("12.5"), "currency": "EUR", "user_id": None},
        {"type": "view", "occurred_at": at, "amount": None, "currency": None, "user_id": None},
    ]
    assert await events.insert_many(given) == 2
    assert await events.aggregate(total=func.sum(Event.amount)) == [{"total": Decimal("12.5")}]


@pytest.mark.parametrize("returning", [False, True])
async def test_a_bad_row_leaves_nothing_of_its_batch(db: Any, returning: bool) -> None:
    author, posts = await new_user(db), db.repository(Post)
    rows = [{"user_id": author, "title": title, "content": "c"} for title in ("good", " ")]
    with pytest.raises(CheckFailed) as caught:
        await (posts.insert_many_returning(rows) if returning else posts.insert_many(rows))
    assert caught.value.constraint == "posts_title_check"
    assert await posts.count() == 0


async def test_uneven_rows_are_refused_and_the_connection_stays_good(db: Any) -> None:
    author, posts = await new_user(db), db.repository(Post)
    rows = [{"user_id": author, "title": "t", "content": "c"}, {"user_id": author, "title": "t"}]
    with pytest.raises(UsageError, match="different fields"):
        await posts.insert_many(rows)
    assert await posts.count() == 0


async def test_constraints_are_named_and_no_value_is_repeated(db: Any) -> None:
    await new_user(db, "secret.person")
    with pytest.raises(AlreadyExists) as caught:
        await new_user(db, "secret.person")
    assert (caught.value.constraint, caught.value.columns) == ("idx_users_email", ("email",))
    with pytest.raises(ForeignKeyMissing) as missing:
        await db.repository(Post).insert(user_id=uuid4(), title="secret.person", content="c")
    assert missing.value.constraint == "posts_user_id_fkey"
    with pytest.raises(CheckFailed) as empty:
        await db.repository(Post).insert(user_id=None, title="secret.person", content="c")
    assert empty.value.columns == ("user_id",)
    for error in (caught.value, missing.value, empty.value):
        assert "secret.person" not in f"{error!s}{error!r}{error.args}{error.as_dict()}"
        assert error.__context__ is None or error.__suppress_context__


async def test_a_value_that_does_not_fit_is_named_by_kind_only(db: Any) -> None:
    for bad in ("not-a-uuid-secret", "\x00secret", "\ud800secret", 12):
        with pytest.raises(InvalidValue) as caught:
            await db.repository(Post).get(bad)
        assert "secret" not in f"{caught.value!s}{caught.value!r}"
    assert await db.repository(Post).get(uuid4()) is None


async def test_an_unknown_field_is_refused_with_the_nearest(db: Any) -> None:
    with pytest.raises(UsageError) as caught:
        await db.repository(Post).insert(titel="x")
    assert "title" in caught.value.hint
    with pytest.raises(UsageError):
        await db.repository(Post).filter(True)
