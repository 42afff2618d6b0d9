"""What holds for any ordering, page size, filter and hostile text: hypothesis looks for the ones for which it does not."""

import operator
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgkeel.access import InvalidCursor
from pgkeel.access.filters import Filters
from pgkeel.access.shape import shape_of
from pgkeel.access.sync import Database
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.schema.models import Post
from pgkeel.schema.rows import PostRow
from tests.access.conftest import KEYS
from tests.access.people import user_fields

SOME = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(SOME, max_examples=300)
DAYS = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 5)]
TITLES = ("a", "b", "B", "a%b", "a_b", "é")


@pytest.fixture
def database(shared_url: Url) -> Iterator[Database]:
    with Database(shared_url, cursor_key=Secret("test"), keys=KEYS) as db:
        yield db


def author_of(db: Database) -> UUID:
    from pgkeel.schema.models import User

    return db.repository(User).upsert_many([user_fields()], on="email")[0].id


rows = st.lists(
    st.tuples(st.sampled_from(TITLES), st.none() | st.sampled_from(DAYS), st.sampled_from(["draft", "archived"])), max_size=14
)


@st.composite
def orderings(draw: Any) -> list[tuple[str, bool, bool]]:
    """Columns in some order, each with a direction and a place for NULLs."""
    names = draw(st.lists(st.sampled_from(["title", "published_at", "status", "created_at", "id"]), unique=True, max_size=3))
    return [(name, draw(st.booleans()), draw(st.booleans())) for name in names]


def clauses(ordering: list[tuple[str, bool, bool]]) -> list[Any]:
    found = []
    for name, is_descending, nulls_first in ordering:
        column = getattr(Post, name)
        directed = column.desc() if is_descending else column.asc()
        found.append(directed.nulls_first() if nulls_first else directed.nulls_last())
    return found


def fill(db: Database, values: list[tuple[Any, ...]]) -> UUID:
    db.sql("TRUNCATE posts CASCADE")
    author = author_of(db)
    db.repository(Post).insert_many(
        {"user_id": author, "title": title, "published_at": at, "status": status, "content": "c"} for title, at, status in values
    )
    return author


def paging(check: settings) -> Callable[[Any], Any]:
    return lambda function: check(
        given(values=rows, ordering=orderings(), size=st.integers(1, 5), changes=st.lists(st.integers(0, 5), max_size=12))(
            function
        )
    )


def walk(db: Database, author: UUID, order: list[Any], size: int, changes: list[int]) -> tuple[list[UUID], set[UUID]]:
    """Return the ids that a walk saw, and those that came or went meanwhile."""
    posts, seen, touched = db.repository(Post), list[UUID](), set[UUID]()
    cursor, steps = None, iter(changes)
    while True:
        page = posts.page(order_by=order, limit=size, after=cursor)
        seen += [row.id for row in page.rows]
        change = next(steps, 0)
        if change in {1, 2}:
            touched.add(posts.insert(user_id=author, title=TITLES[change], content="new", published_at=DAYS[change]))
        elif change in {3, 4} and page.rows:
            gone = page.rows[(change - 3) % len(page.rows)].id
            touched.add(gone)
            posts.delete(gone) if change == 3 else posts.soft_delete(gone)
        if page.next is None:
            return seen, touched
        cursor = page.next


def visits_every_row_once(db: Database, values: Any, ordering: Any, size: int, changes: list[int]) -> None:
    author, posts, order = fill(db, values), db.repository(Post), clauses(ordering)
    whole = [row.id for row in posts.filter(order_by=order)]
    seen, touched = walk(db, author, order, size, changes)
    assert len(seen) == len(set(seen))
    assert [key for key in seen if key in set(whole) - touched] == [key for key in whole if key not in touched]
    assert set(seen) <= set(whole) | touched


@paging(SOME)
def test_a_walk_visits_every_row_once(database: Database, values: Any, ordering: Any, size: int, changes: list[int]) -> None:
    visits_every_row_once(database, values, ordering, size, changes)


@pytest.mark.long
@pytest.mark.timeout(1800)
@paging(MANY)
def test_a_walk_visits_every_row_once_long(database: Database, values: Any, ordering: Any, size: int, changes: list[int]) -> None:
    visits_every_row_once(database, values, ordering, size, changes)


FILTERS = Filters(
    Post,
    {"title": "eq ne in contains prefix lt ge", "status": "eq in", "published_at": "eq lt le gt ge null", "metadata:tag": "eq"},
    orders=("title", "published_at"),
)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "contains": lambda held, value: value.lower() in held.lower(),
    "prefix": lambda held, value: held.startswith(value),
}
conditions = st.one_of(
    st.tuples(st.just("title"), st.sampled_from(["eq", "ne", "contains", "prefix"]), st.sampled_from([*TITLES, "%", "_", "\\"])),
    st.tuples(st.just("title"), st.just("in"), st.lists(st.sampled_from(TITLES), min_size=1).map(",".join)),
    st.tuples(st.just("status"), st.just("eq"), st.sampled_from(["draft", "archived"])),
    st.tuples(st.just("published_at"), st.sampled_from(["eq", "lt", "le", "gt", "ge"]), st.sampled_from(DAYS)),
    st.tuples(st.just("published_at"), st.just("null"), st.sampled_from(["true", "false"])),
)


def meets(row: PostRow, name: str, how: str, value: Any) -> bool:
    held = getattr(row, name)
    if how == "null":
        return bool((held is None) == (value == "true"))
    if how == "in":
        return bool(held in value.split(","))
    is_met: bool = held is not None and COMPARE[how](held, value)
    return is_met


def equals_the_oracle(db: Database, values: Any, asked: list[tuple[str, str, Any]]) -> None:
    fill(db, values)
    posts = db.repository(Post)
    pairs = [(f"{name}.{how}", value.isoformat() if isinstance(value, datetime) else value) for name, how, value in asked]
    wanted = FILTERS.read(urlencode(pairs))
    found = {row.id for row in posts.page(*wanted.conditions, **wanted.paging).rows}
    assert found == {row.id for row in posts.filter() if all(meets(row, *condition) for condition in asked)}


@SOME
@given(values=rows, asked=st.lists(conditions, max_size=3))
def test_filters_equal_an_oracle(database: Database, values: Any, asked: Any) -> None:
    equals_the_oracle(database, values, asked)


@pytest.mark.long
@pytest.mark.timeout(1800)
@MANY
@given(values=rows, asked=st.lists(conditions, max_size=3))
def test_filters_equal_an_oracle_long(database: Database, values: Any, asked: Any) -> None:
    equals_the_oracle(database, values, asked)


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["id; DROP TABLE posts", "title) --", '"title"', "-", "--title", "title desc", "posts.id", "\0", "'", "id,id"]
    ),
)


KNOWN = shape_of(Post).names.keys()  # whose values are another matter than names that are none


def is_refused_or_harmless(db: Database, text: str) -> None:
    posts = db.repository(Post)
    for attempt in (
        lambda: posts.page(order_by=text),
        lambda: posts.filter(order_by=[text, "id"]),
        lambda: posts.insert(**{text: 1, "title": "x"}),
        lambda: posts.update_many([{"id": uuid4(), text: 1}]),
        lambda: posts.upsert_many([{"id": uuid4(), text: 1}], on=text),
        lambda: FILTERS.read([(text, "x")]),
        lambda: FILTERS.read([("sort", text)]),
        lambda: FILTERS.read([("status", text)]),
        lambda: FILTERS.read(text),
        lambda: posts.search("x", language=text),
    ):
        with suppress(UsageError):
            attempt()
    with pytest.raises(InvalidCursor):
        posts.page(after=text)
    with pytest.raises(InvalidCursor):
        posts.page(before=text)
    assert posts.count() == 0


@SOME
@given(text=HOSTILE)
def test_hostile_names_orderings_and_cursors_are_refused(database: Database, text: str) -> None:
    if text.lstrip("-") not in KNOWN:
        is_refused_or_harmless(database, text)


@pytest.mark.long
@pytest.mark.timeout(1800)
@MANY
@given(text=HOSTILE)
def test_hostile_names_orderings_and_cursors_are_refused_long(database: Database, text: str) -> None:
    if text.lstrip("-") not in KNOWN:
        is_refused_or_harmless(database, text)
