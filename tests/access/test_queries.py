"""Statements as functions: typed, checked when they are defined, the same on a database, in a transaction and in threads."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import insert, select, update

from pgkeel.access import NotFound, query, statement
from pgkeel.access.query_check import queries_of, verify
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import Query, connect
from pgkeel.schema.models import Post
from pgkeel.schema.rows import PostRow
from tests.access.conftest import done
from tests.access.people import new_user


class Sum(msgspec.Struct, frozen=True):
    status: str
    posts: int


@query
def sums(author: UUID, least: int = 1) -> list[Sum]:
    """Count the posts of an author by their status."""
    return statement(
        """SELECT status, count(*) AS posts FROM posts WHERE user_id = %(author)s GROUP BY status
           HAVING count(*) >= %(least)s ORDER BY status"""
    )


@query
def by_title(titles: list[str], *, most: int = 20) -> list[PostRow]:
    return statement(select(Post).where(Post.title.in_(titles)).order_by(Post.title).limit(most))


@query
def one(key: UUID) -> PostRow:
    return statement(select(Post).where(Post.id == key))


@query
def title_of(key: UUID) -> str | None:
    return statement("SELECT title FROM posts WHERE id = %(key)s")


@query
def titles(author: UUID) -> AsyncIterator[str]:
    return statement("SELECT title FROM posts WHERE user_id = %(author)s ORDER BY title")


@query
def rows_of(author: UUID) -> AsyncIterator[PostRow]:
    return statement(select(Post).where(Post.user_id == author).order_by(Post.title))


@query
def rename(key: UUID, title: str) -> int:
    return statement("UPDATE posts SET title = %(title)s WHERE id = %(key)s", writes=("posts",))


@query
def archive(author: UUID) -> int:
    return statement(update(Post).values(status="archived").where(Post.user_id == author))


@query
def add(user_id: UUID, title: str) -> UUID:
    return statement(insert(Post).values(user_id=user_id, title=title, content="c").returning(Post.id))


@query
def forget(key: UUID) -> int:
    return statement("-- a comment\nDELETE FROM posts WHERE id = %(key)s")


@query
def anything(author: UUID) -> dict[str, Any]:
    return statement(Query("-- one row\nSELECT count(*) AS n, max(title) AS last FROM posts WHERE user_id = %(author)s"))


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


async def test_every_kind_of_answer_comes_as_the_annotation_says(db: Any) -> None:
    author = await new_user(db)
    keys = [await done(add(db, author, title)) for title in ("a", "b", "c")]
    assert await done(sums(db, author)) == [Sum("draft", 3)]
    assert await done(sums(db, author, least=4)) == []
    assert [row.title for row in await done(by_title(db, ["a", "c", "x"]))] == ["a", "c"]
    assert [row.title for row in await done(by_title(db, ["a", "c", "x"], most=1))] == ["a"]
    assert isinstance(await done(one(db, keys[0])), PostRow)
    assert (await done(title_of(db, keys[1])), await done(title_of(db, uuid4()))) == ("b", None)
    assert (await done(rename(db, keys[0], "z")), await done(rename(db, uuid4(), "z"))) == (1, 0)
    assert await done(archive(db, author)) == 3
    assert await done(forget(db, keys[0])) == 1
    assert await done(anything(db, author)) == {"n": 2, "last": "c"}
    with pytest.raises(NotFound, match=r"test_queries\.one found no row"):
        await done(one(db, uuid4()))


async def test_they_are_part_of_a_transaction_and_undone_with_it(db: Any) -> None:
    author = await new_user(db)
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the unit of work
        async with db.transaction() as tx:
            await done(add(tx, author, "a"))
            assert await done(archive(tx, author)) == 1
            assert await done(sums(tx, author)) == [Sum("archived", 1)]
            raise RuntimeError
    assert await done(sums(db, author)) == []


async def test_an_iterator_reads_through_a_cursor(db: Any, colour: str) -> None:
    author = await new_user(db)
    await db.repository(Post).insert_many([{"user_id": author, "title": f"{n:04}", "content": "c"} for n in range(1500)])
    if colour == "psycopg-sync":
        with titles(db._inner, author) as found:
            assert len(list(found)) == 1500
        with rows_of(db._inner, author) as rows:
            assert next(rows).title == "0000"
        return
    async with titles(db, author) as found:
        assert len([title async for title in found]) == 1500
    async with rows_of(db, author) as rows:
        assert (await anext(rows)).title == "0000"
    async with db.transaction() as tx:
        with pytest.raises(UsageError, match="outside of a unit of work"):
            async with titles(tx, author):
                pass


async def test_more_rows_than_one_are_refused_where_one_is_promised(db: Any) -> None:
    @query
    def any_title() -> str:
        return statement("SELECT title FROM posts")

    author = await new_user(db)
    await done(add(db, author, "a"))
    await done(add(db, author, "b"))
    with pytest.raises(UsageError, match="2 rows"):
        await done(any_title(db))


def _unknown() -> Any:
    def f(key: UUID) -> str:
        return statement("SELECT title FROM posts WHERE id = %(key)s AND title = %(titel)s")

    return f


def _unused() -> Any:
    def f(key: UUID, title: str) -> str:
        return statement("SELECT title FROM posts WHERE id = %(key)s")

    return f


def _unused_in_select() -> Any:
    def f(key: UUID, title: str) -> PostRow:
        return statement(select(Post).where(Post.id == key))

    return f


def _no_annotation() -> Any:
    def f(key) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - what is tested
        return statement("SELECT title FROM posts WHERE id = %(key)s")

    return f


def _no_result() -> Any:
    def f(key: UUID):  # type: ignore[no-untyped-def]  # noqa: ANN202 - what is tested
        return statement("SELECT title FROM posts WHERE id = %(key)s")

    return f


def _branches() -> Any:
    def f(key: UUID) -> str:
        if key:
            return statement("SELECT 1")
        return statement("SELECT title FROM posts WHERE id = %(key)s")

    return f


def _compares() -> Any:
    def f(status: str) -> list[str]:
        if status == "draft":
            return statement("SELECT title FROM posts WHERE status = %(status)s ORDER BY created_at")
        return statement("SELECT title FROM posts WHERE status = %(status)s")

    return f


def _compares_from_the_other_side() -> Any:
    def f(status: str) -> list[str]:
        return statement("SELECT %(status)s" if "draft" != status else "SELECT title FROM posts WHERE status = %(status)s")  # noqa: SIM300 - what is tested

    return f


def _compares_a_column() -> Any:
    def f(status: str) -> list[str]:
        if Post.status == status:
            return statement("SELECT title FROM posts WHERE status = %(status)s ORDER BY created_at")
        return statement("SELECT title FROM posts WHERE status = %(status)s")

    return f


def _matches() -> Any:
    def f(status: str) -> list[str]:
        match status:
            case "draft":
                return statement("SELECT title FROM posts WHERE status = %(status)s ORDER BY created_at")
            case _:
                return statement("SELECT title FROM posts WHERE status = %(status)s")

    return f


def _looks_into_a_list() -> Any:
    def f(status: str) -> list[str]:
        return statement(
            "SELECT %(status)s" if status in ["draft", "archived"] else "SELECT title FROM posts WHERE status = %(status)s"
        )

    return f


def _looks_into_a_set() -> Any:
    def f(status: str) -> list[str]:
        return statement(
            "SELECT %(status)s" if status in {"draft", "archived"} else "SELECT title FROM posts WHERE status = %(status)s"
        )

    return f


def _is_there() -> Any:
    def f(status: str | None, *, least: int = 0) -> list[str]:
        chosen = select(Post.title).where(Post.version > least)
        if status is not None:
            chosen = chosen.where(Post.status == status)
        return statement(chosen)

    return f


def _is_nothing() -> Any:
    def f(status: str | None) -> list[str]:
        is_any = status is None
        return statement(select(Post.title).where((Post.status == status) | is_any))

    return f


def _no_statement() -> Any:
    def f(key: UUID) -> str:
        return f"SELECT {key}"

    return f


def _wrong_struct() -> Any:
    def f(key: UUID) -> Sum:
        return statement(select(Post.title).where(Post.id == key))

    return f


def _wrong_kind() -> Any:
    def f(key: UUID) -> set[str]:
        return statement("SELECT title FROM posts WHERE id = %(key)s")

    return f


def _rows_of_a_write() -> Any:
    def f(key: UUID) -> list[Sum]:
        return statement("DELETE FROM posts WHERE id = %(key)s")

    return f


def _nothing() -> Any:
    def f(key: UUID) -> Any:
        return statement("DELETE FROM posts WHERE id = %(key)s")

    f.__annotations__["return"] = None
    return f


def _any_number() -> Any:
    def f(*keys: UUID) -> str:
        return statement("SELECT 'x'")

    return f


def _not_sql() -> Any:
    def f(key: UUID) -> str:
        return statement(7)

    return f


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_unknown, "no parameter titel"),
        (_unused, "does not use title"),
        (_unused_in_select, "does not use title"),
        (_no_annotation, "key has no annotation"),
        (_no_result, "does not say what it returns"),
        (_branches, "no statement for all values"),
        (_compares, "no statement for all values"),
        (_compares_from_the_other_side, "no statement for all values"),
        (_compares_a_column, "no statement for all values"),
        (_matches, "no statement for all values"),
        (_looks_into_a_list, "no statement for all values"),
        (_looks_into_a_set, "no statement for all values"),
        (_is_there, "no statement for all values"),
        (_is_nothing, "no statement for all values"),
        (_no_statement, "returns no statement"),
        (_wrong_struct, "Sum has no field for title"),
        (_wrong_kind, "rows cannot become"),
        (_rows_of_a_write, "gives no rows"),
        (_nothing, "rows cannot become"),
        (_any_number, "any number of values"),
        (_not_sql, "a int is no statement"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_defined(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        query(make())
    assert caught.value.hint


def test_a_body_may_build_its_statement_in_steps_and_ask_what_is_no_value() -> None:
    columns = [Post.title, Post.status]

    @query
    def built(author: UUID, status: str) -> list[dict[str, Any]]:
        chosen = select(*(column for column in columns if column.key in {"title", "status"}))
        if len(columns) == 2:
            chosen = chosen.where(Post.user_id == author, Post.status == status)
        return statement(chosen)

    assert built.asked.parameters == ("author", "status")
    assert Post.title != Post.status  # SQLAlchemy's own answer is back


async def test_a_wrong_call_is_a_plain_type_error(db: Any) -> None:
    with pytest.raises(TypeError, match="author"):
        await done(cast("Any", sums)(db))


@query
def from_nowhere(since: timedelta) -> list[Sum]:
    return statement("SELECT status, count(*) AS posts FROM nowhere WHERE at > %(since)s GROUP BY status")


@query
def misnamed(author: UUID) -> list[Sum]:
    return statement("SELECT status, count(*) AS post FROM posts WHERE user_id = %(author)s GROUP BY status")


@query
def wide(author: UUID) -> str:
    return statement("SELECT id, title FROM posts WHERE user_id = %(author)s")


def test_a_database_says_which_statements_it_would_refuse(url: Url) -> None:
    found = queries_of(__name__)
    with connect(url) as connection:
        problems = verify(connection, found)
    assert len(found) == 14
    assert {problem.name.rpartition(".")[2]: problem.said for problem in problems} == {
        "from_nowhere": 'relation "nowhere" does not exist',
        "misnamed": "Sum has no field for post",
        "wide": "2 columns do not fit one value",
    }
    assert sums.__doc__ == "Count the posts of an author by their status."


def test_the_statements_of_a_module_are_all_right(url: Url) -> None:
    with connect(url) as connection:
        assert verify(connection, [sums, by_title, one, titles, rename, add]) == []
