"""Pages by cursor: every row once, in any order, while rows come and go; and nobody forges a cursor."""

import base64
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from pgkeel.access import InvalidCursor
from pgkeel.access.page import Total
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret
from pgkeel.schema.models import Comment, Post, User
from tests.access.people import new_user

pytestmark = pytest.mark.majors

ORDERS: dict[str, Any] = {
    "key alone": (),
    "one column": Post.title,
    "one column down": Post.title.desc(),
    "by name": "-title",
    "mixed directions": [Post.status.desc(), Post.title],
    "nulls last": Post.published_at,
    "nulls first": Post.published_at.desc(),
    "nulls against the rule": [Post.published_at.desc().nulls_last(), Post.title.desc()],
    "nulls first upwards": [Post.published_at.asc().nulls_first(), Post.status],
    "the key before one that may be NULL": [Post.id, Post.published_at],
}


async def fill(db: Any, count: int = 23) -> UUID:
    author = await new_user(db)
    order = random.Random(3)
    rows = []
    for number in range(count):
        published = datetime(2024, 1, order.randint(1, 4), tzinfo=UTC) if order.random() < 0.6 else None
        status = "published" if published and order.random() < 0.5 else order.choice(["draft", "archived"])
        rows.append({"user_id": author, "title": f"t{number % 7}", "content": "c", "status": status, "published_at": published})
    await db.repository(Post).insert_many(rows)
    return author


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
async def test_every_row_comes_once_forth_and_back(db: Any, order: Any) -> None:
    await fill(db)
    posts = db.repository(Post)
    whole = [row.id for row in await posts.filter(order_by=order)]
    pages, cursor = [], None
    while True:
        page = await posts.page(order_by=order, limit=4, after=cursor)
        pages.append([row.id for row in page.rows])
        if page.next is None:
            break
        cursor = page.next
    assert [key for page_ids in pages for key in page_ids] == whole
    back = [pages[-1]]
    while page.previous is not None:
        page = await posts.page(order_by=order, limit=4, before=page.previous)
        back.insert(0, [row.id for row in page.rows])
    assert [key for page_ids in back for key in page_ids] == whole


async def test_rows_that_come_and_go_do_not_move_a_page(db: Any) -> None:
    author = await fill(db, 20)
    posts = db.repository(Post)
    before = [row.id for row in await posts.filter(order_by=Post.title)]
    seen: list[UUID] = []
    page = await posts.page(order_by=Post.title, limit=3)
    while True:
        seen += [row.id for row in page.rows]
        await posts.soft_delete(page.rows[0].id)
        await posts.insert(user_id=author, title="!", content="sorts before everything seen")
        if page.next is None:
            break
        page = await posts.page(order_by=Post.title, limit=3, after=page.next)
    assert seen == before


async def test_a_page_keeps_its_conditions(db: Any) -> None:
    await fill(db)
    posts = db.repository(Post)
    page = await posts.page(Post.status == "draft", order_by="-created_at", limit=2)
    more = await posts.page(Post.status == "draft", order_by="-created_at", limit=50, after=page.next)
    assert {row.status for row in (*page.rows, *more.rows)} == {"draft"}
    assert len(page.rows) + len(more.rows) == await posts.count(Post.status == "draft")


async def test_an_altered_cursor_is_refused(db: Any) -> None:
    await fill(db, 5)
    posts = db.repository(Post)
    cursor = (await posts.page(order_by=Post.title, limit=2)).next
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        with pytest.raises(InvalidCursor):
            await posts.page(order_by=Post.title, limit=2, after=cursor[:place] + other + cursor[place + 1 :])
    for bad in ("", "x", cursor[:-1], cursor + "A", cursor + "=", " " + cursor, "é", "\ud800", "A" * 100_000):
        with pytest.raises(InvalidCursor):
            await posts.page(order_by=Post.title, limit=2, after=bad)


async def test_a_cursor_belongs_to_its_query_and_key(db: Any, open_db: Any) -> None:
    await fill(db, 5)
    cursor = (await db.repository(Post).page(order_by=Post.title, limit=2)).next
    with pytest.raises(InvalidCursor):
        await db.repository(Post).page(order_by=Post.title.desc(), limit=2, after=cursor)
    with pytest.raises(InvalidCursor):
        await db.repository(Comment).page(order_by="content", limit=2, after=cursor)
    stranger = await open_db(cursor_key=Secret("other"))
    with pytest.raises(InvalidCursor):
        await stranger.repository(Post).page(order_by=Post.title, limit=2, after=cursor)
    friend = await open_db()
    assert (await friend.repository(Post).page(order_by=Post.title, limit=2, after=cursor)).rows


async def test_a_cursor_shows_no_key_material(db: Any) -> None:
    await fill(db, 5)
    cursor = (await db.repository(Post).page(order_by=Post.title, limit=2)).next
    assert b"test" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:16]


@pytest.mark.parametrize("order", ["nothing", "-nothing", "title; DROP TABLE posts", User.email, 7, ["title", "-title"]])
async def test_an_ordering_by_anything_else_is_refused(db: Any, order: Any) -> None:
    with pytest.raises(UsageError):
        await db.repository(Post).page(order_by=order)


@pytest.mark.parametrize("limit", [0, -1, True, "5"])
async def test_a_limit_is_a_positive_number(db: Any, limit: Any) -> None:
    with pytest.raises(UsageError):
        await db.repository(Post).page(limit=limit)


async def test_a_page_of_nothing_is_empty(db: Any) -> None:
    page = await db.repository(Post).page(Post.id == uuid4())
    assert (page.rows, page.next, page.previous) == ((), None, None)


async def test_a_page_by_its_number_says_how_many_there_are(db: Any) -> None:
    await fill(db, 23)
    posts = db.repository(Post)
    whole = [row.id for row in await posts.filter(order_by=Post.title)]
    pages = [await posts.offset_page(order_by=Post.title, number=number, size=10) for number in (1, 2, 3, 4)]
    assert [row.id for page in pages for row in page.rows] == whole
    assert (pages[0].total.value, pages[0].total.is_exact, pages[0].pages) == (23, True, 3)
    with pytest.raises(UsageError, match="100,000"):
        await posts.offset_page(number=100_001, size=2)
    with pytest.raises(UsageError):
        await posts.offset_page(number=0)


async def test_rows_are_counted_to_a_cap_and_estimated_beyond(db: Any) -> None:
    await fill(db, 30)
    posts = db.repository(Post)
    assert await posts.count_up_to(Post.title == "t0", cap=10) == Total(5, is_exact=True)
    estimate = await posts.count_up_to(cap=10)
    assert not estimate.is_exact
    assert estimate.value >= 11


async def test_an_ordering_without_an_index_is_told_with_the_index_that_it_lacks(db: Any) -> None:
    author = await fill(db)
    posts = db.repository(Post)
    assert (await posts.ordering_index()).names == ("posts_pkey",)
    served = await posts.ordering_index(Post.user_id == author, order_by=Post.created_at.desc())
    assert (bool(served), served.names) == (True, ("idx_posts_user_id",))
    lacking = await posts.ordering_index(order_by=[Post.title.desc(), Post.published_at.asc().nulls_first()])
    assert not lacking
    assert lacking.advice == (
        "CREATE INDEX CONCURRENTLY idx_posts_title_published_at_id ON posts (title DESC, published_at NULLS FIRST, id)"
    )


async def test_a_page_of_a_usual_size_keeps_its_plan_and_other_sizes_share_one_statement(open_db: Any) -> None:
    db = await open_db(pool=PoolConfig(min=1, max=1))
    posts = db.repository(Post)
    for _ in range(8):
        await posts.page(limit=50)
    for size in range(60, 68):
        await posts.page(limit=size)
    kept = await db.sql(
        "SELECT statement LIKE '%%LIMIT 51' AS written, count(*) AS statements, sum(generic_plans) AS kept"
        " FROM pg_prepared_statements WHERE statement LIKE 'SELECT posts%%LIMIT %%' GROUP BY 1 ORDER BY 1"
    )
    assert [(row["written"], row["statements"]) for row in kept] == [(False, 1), (True, 1)]
    assert kept[1]["kept"] > 0
