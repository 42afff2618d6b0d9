"""What a type checker sees: real row types, through the real public names."""

from tests.conftest import Mypy

PROGRAM = """
from uuid import UUID
from collections.abc import AsyncIterator
from sqlalchemy import select
from pgkeel.access import Database, Transaction, query, statement
from pgkeel.access import sync
from pgkeel.schema.models import Post, UserRole
from pgkeel.schema.rows import PostRow, UserRoleRow, UserRow

@query
def titled(title: str, most: int = 5) -> list[PostRow]:
    return statement(select(Post).where(Post.title == title).limit(most))

@query
def title_of(key: UUID) -> str | None:
    return statement("SELECT title FROM posts WHERE id = %(key)s")

@query
def titles(author: UUID) -> AsyncIterator[str]:
    return statement("SELECT title FROM posts WHERE user_id = %(author)s")

async def ask(db: Database, tx: Transaction, key: UUID) -> str | None:
    rows: list[PostRow] = await titled(db, "a", most=3)
    more: list[PostRow] = await titled(tx, title="a")
    async with titles(db, key) as found:
        async for title in found:
            title.upper()
    return await title_of(db, key)

def ask_sync(db: sync.Database, tx: sync.Transaction, key: UUID) -> str | None:
    rows: list[PostRow] = titled(db, "a")
    with titles(tx, author=key) as found:
        return next(found)

async def read(db: Database, key: UUID) -> str:
    posts = db.repository(Post)
    row: PostRow | None = await posts.get(key)
    new: UUID = await posts.insert(title="x")
    keys: list[UUID] = await posts.insert_many_returning([])
    count: int = await posts.insert_many([])
    link: UserRoleRow = await db.repository(UserRole).insert_row(user_id=key)
    drafts: list[PostRow] = await posts.filter(Post.status == "draft", order_by=Post.created_at.desc())
    page = await posts.page(Post.title.like("a%"), limit=10)
    title: str = page.rows[0].title
    kept: list[PostRow] = await posts.cached(ttl="5m").filter(Post.status == "draft")
    pairs: list[tuple[PostRow, UserRow]] = await posts.include(Post.user).cached(stale="5s").filter()
    numbers: list[int] = await db.sql("SELECT 1", into=int)
    return (await posts.get_one(key)).title

def read_sync(db: sync.Database, key: UUID) -> str:
    row: PostRow | None = db.repository(Post).get(key)
    first: PostRow | None = db.repository(Post).cached(tags=["posts", db.tag(Post, user_id=key)]).first()
    return db.repository(Post).get_one(key).title
"""
WRONG = """
async def wrong(db: Database, key: UUID) -> None:
    row = await db.repository(Post).get_one(key)
    row.titel
    await db.repository(UserRole).insert(user_id=key)
    db.repository(int)
    await titled(db, 7)
    await titled(db, titel="x")
    number: int = await title_of(db, key)
"""


def test_rows_ids_and_pages_have_their_real_types(mypy: Mypy) -> None:
    assert mypy(PROGRAM) == ""


def test_a_wrong_field_or_model_is_an_error_before_it_runs(mypy: Mypy) -> None:
    said = mypy(PROGRAM + WRONG)
    assert '"PostRow" has no attribute "titel"' in said
    assert said.count("error:") == 7
