"""Filters from a query string: by name, in the types of the columns; whatever else somebody writes is refused."""

from typing import Any
from uuid import UUID

import pytest

from pgkeel.access.conditions import contains, json_text, matches_path, similar, starts_with
from pgkeel.access.filters import Filters, InvalidFilter
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post
from tests.access.people import new_user

FILTERS = Filters(
    Post,
    {
        "status": "eq ne in",
        "title": "contains prefix similar",
        "created_at": "ge lt",
        "published_at": "null",
        "user_id": "eq",
        "metadata:author.name": "eq in",
    },
    orders=("created_at", "title"),
    default_order="-created_at",
    most=100,
)


@pytest.fixture
def url(shared_url: Url) -> Url:
    with connect(shared_url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    return shared_url


async def some_posts(db: Any) -> UUID:
    author = await new_user(db)
    rows = [
        {"title": "Salt and 100% pepper", "status": "draft", "metadata": {"author": {"name": "Ada"}, "tags": ["sql", "db"]}},
        {"title": "Sugar_free", "status": "archived", "metadata": {"author": {"name": "Bob"}}},
    ]
    await db.repository(Post).insert_many({**row, "user_id": author, "content": "c"} for row in rows)
    return author


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", {"Salt", "Sugar"}),
        ("status=draft", {"Salt"}),
        ("status.in=draft,archived&title.contains=SUGAR", {"Sugar"}),
        ("status.ne=draft", {"Sugar"}),
        ("title.contains=0%25", {"Salt"}),
        ("title.contains=%25", {"Salt"}),
        ("title.prefix=Sugar_", {"Sugar"}),
        ("title.prefix=S_", set()),
        ("title.similar=peper", {"Salt"}),
        ("metadata:author.name=Ada", {"Salt"}),
        ("metadata:author.name.in=Ada,Bob", {"Salt", "Sugar"}),
        ("published_at.null=true&created_at.ge=2020-01-01T00:00:00Z", {"Salt", "Sugar"}),
        ("published_at.null=false", set()),
        ("created_at.lt=2020-01-01T00:00:00%2B02:00", set()),
    ],
)
async def test_a_query_string_becomes_typed_conditions(db: Any, query: str, titles: set[str]) -> None:
    await some_posts(db)
    wanted = FILTERS.read(query)
    page = await db.repository(Post).page(*wanted.conditions, **wanted.paging)
    assert {row.title.split()[0].split("_")[0] for row in page.rows} == titles


async def test_conditions_may_look_into_json(db: Any) -> None:
    await some_posts(db)
    posts = db.repository(Post)
    assert await posts.count(matches_path(Post.metadata_, '$.tags[*] ? (@ == "sql")')) == 1
    assert await posts.count(json_text(Post.metadata_, "tags", 1) == "db") == 1
    assert await posts.count(json_text(Post.metadata_, "tags", 7) == "db") == 0
    assert await posts.count(starts_with(Post.title, "Salt"), contains(Post.title, "PEPPER"), similar(Post.title, "pepper")) == 1


def test_an_ordering_a_limit_and_a_cursor_are_read() -> None:
    wanted = FILTERS.read("sort=-title,created_at&limit=7&after=abc")
    assert wanted.paging == {"order_by": ("-title", "created_at"), "limit": 7, "after": "abc", "before": None}
    plain = FILTERS.read([("status", "draft")])
    assert (plain.order_by, plain.limit, len(plain.conditions)) == (("-created_at",), 50, 1)


@pytest.mark.parametrize(
    ("query", "parameter", "hint"),
    [
        ("titel=x", "titel", "title"),
        ("title=x", "title", "title.contains"),
        ("status.gt=x", "status.gt", "status.eq"),
        ("status=secret", "status", "draft"),
        ("user_id=secret", "user_id", "UUID"),
        ("created_at.ge=2024-01-01", "created_at.ge", "2024-01-31T12:00:00Z"),
        ("created_at.ge=2024-01-01T00:00:00", "created_at.ge", "2024-01-31T12:00:00Z"),
        ("published_at.null=secret", "published_at.null", "true or false"),
        ("title.contains=a%00", "title.contains", "str"),
        ("sort=content", "sort", "created_at, title"),
        ("sort=title,-title", "sort", "once"),
        ("limit=101", "limit", "50"),
        ("limit=0", "limit", "50"),
        ("limit=secret", "limit", "whole number"),
        ("limit=1&limit=2", "", "others"),
        ("after=a&before=b", "before", "one"),
        ("status.in=" + ",".join(["draft"] * 101), "status.in", "ask"),
        ("title.contains=" + "x" * 1001, "title.contains", "str"),
        ("&".join(["status=draft"] * 51), "", "50"),
        ("x" * 9000, "", "less"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(query: str, parameter: str, hint: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        FILTERS.read(query)
    assert caught.value.parameter == parameter
    assert hint in caught.value.hint
    assert "secret" not in f"{caught.value!s}{caught.value.hint}"


def test_a_mistake_in_what_is_allowed_is_found_at_once() -> None:
    for fields in ({"titel": "eq"}, {"title": "like"}, {"title": ""}, {"limit": "eq"}):
        with pytest.raises(UsageError):
            Filters(Post, fields)
    with pytest.raises(UsageError):
        Filters(Post, {}, orders=["nothing"])
