"""Rows with their relations: one statement, or one more for a relation with many rows; never one a row."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from pgkeel.access import InvalidValue
from pgkeel.access._async.included import Included
from pgkeel.access._async.repository import Repository
from pgkeel.access.counting import expect
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.schema.models import Comment, Post, Role, User, UserRole
from pgkeel.schema.rows import CommentRow, PostRow, RoleRow, UserRow
from tests.access.people import new_user


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


async def forum(db: Any) -> tuple[UUID, UUID, list[UUID]]:
    """Two users, three posts of the first, comments of the second on the first post."""
    ada, bob = await new_user(db), await new_user(db, "bob")
    posts = await db.repository(Post).insert_many_returning(
        {"user_id": ada, "title": f"t{number}", "content": "c"} for number in range(3)
    )
    await db.repository(Comment).insert_many(
        {"post_id": posts[0], "user_id": bob, "content": f"c{number}"} for number in range(4)
    )
    return ada, bob, posts


def test_included_rows_are_typed() -> None:
    def typed(posts: Repository[PostRow]) -> tuple[Included[PostRow, UserRow, list[CommentRow]], Included[PostRow, UserRow]]:
        return posts.include(Post.user).include(Post.comments), posts.include(Post.user)

    async def rows(posts: Repository[PostRow]) -> list[tuple[PostRow, list[CommentRow]]]:
        return list((await posts.include(Post.comments).page()).rows)

    async def roles(users: Repository[UserRow]) -> tuple[UserRow, list[RoleRow]] | None:
        return await users.include(User.roles).get(uuid4())

    assert all(map(callable, (typed, rows, roles)))


@pytest.mark.majors
async def test_one_related_row_comes_by_a_join_and_many_by_one_more_statement(db: Any) -> None:
    ada, bob, keys = await forum(db)
    both = db.repository(Post).include(Post.user).include(Post.comments)
    with expect(queries=2):
        found = await both.filter(Post.user_id == ada, order_by=Post.title)
    assert [(type(post), user.id, [comment.content for comment in comments]) for post, user, comments in found] == [
        (PostRow, ada, ["c0", "c1", "c2", "c3"]),
        (PostRow, ada, []),
        (PostRow, ada, []),
    ]
    post, user, comments = await both.get(keys[0])
    assert (post.id, type(user), {comment.user_id for comment in comments}) == (keys[0], UserRow, {bob})
    assert await both.get(uuid4()) is None
    assert len(await both.get_many(keys)) == 3


async def test_pages_of_rows_with_relations_go_forth_and_back(db: Any) -> None:
    _, _, keys = await forum(db)
    both = db.repository(Post).include(Post.comments)
    first = await both.page(order_by=Post.title, limit=2)
    second = await both.page(order_by=Post.title, limit=2, after=first.next)
    back = await both.page(order_by=Post.title, limit=2, before=second.previous)
    assert [post.id for post, _ in (*first.rows, *second.rows)] == keys
    assert back.rows == first.rows
    assert (await both.offset_page(order_by=Post.title, number=2, size=2)).rows == second.rows


@pytest.mark.majors
async def test_both_ways_of_many_to_many_and_of_a_child(db: Any) -> None:
    ada, bob, _ = await forum(db)
    role = (await db.repository(Role).first(Role.name == "admin")).id
    await db.repository(UserRole).insert_row(user_id=ada, role_id=role, granted_by=bob)
    found = await db.repository(User).include(User.roles).include(User.default_role).filter(order_by=User.created_at)
    assert [([role.name for role in roles], default.name) for _, roles, default in found] == [(["admin"], "user"), ([], "user")]
    comments = await db.repository(Comment).include(Comment.post).include(Comment.user).filter()
    assert {(post.title, type(user)) for _, post, user in comments} == {("t0", UserRow)}


async def test_hidden_children_stay_hidden_and_a_hidden_parent_is_shown(db: Any) -> None:
    ada, _, keys = await forum(db)
    comments, posts = db.repository(Comment), db.repository(Post)
    gone = (await comments.first()).id
    await comments.soft_delete(gone)
    await db.repository(User).soft_delete(ada)
    post, user, left = await posts.include(Post.user).include(Post.comments).get(keys[0])
    assert (post.id, user.status, len(left)) == (keys[0], "deleted", 3)
    _, everything = await posts.with_deleted().include(Post.comments).get(keys[0])
    assert len(everything) == 4


async def test_what_is_no_relationship_of_the_model_is_refused(db: Any) -> None:
    posts = db.repository(Post)
    for wrong in (Post.title, Comment.user, "user", None):
        with pytest.raises(UsageError, match="Post"):
            posts.include(wrong)
    with pytest.raises(UsageError, match="another table"):
        await posts.filter(User.status == "active")
    assert await posts.filter(Post.user.has(User.status == "active")) == []


@pytest.mark.parametrize("colour", ["asyncpg", "psycopg-async"], indirect=True)
async def test_reads_by_id_at_the_same_time_become_one_statement(db: Any) -> None:
    _, _, keys = await forum(db)
    posts = db.repository(Post)
    wanted = [*keys, *keys, uuid4()]
    with expect(queries=2):  # the first is on its way when the others come
        rows = await asyncio.gather(*map(posts.get, wanted))
    assert [row and row.id for row in rows] == [*keys, *keys, None]
    with expect(queries=4):  # a hundred at once
        assert await asyncio.gather(*map(posts.get, [uuid4() for _ in range(250)])) == [None] * 250
    with expect(queries=1):
        assert (await posts.get(keys[0])).id == keys[0]


@pytest.mark.parametrize("colour", ["asyncpg"], indirect=True)
async def test_inside_of_a_transaction_each_reads_for_itself(db: Any) -> None:
    _, _, keys = await forum(db)
    async with db.transaction() as tx:
        await tx.repository(Post).update(keys[0], version=1, title="mine")
        assert (await tx.repository(Post).get(keys[0])).title == "mine"
        assert (await db.repository(Post).get(keys[0])).title == "t0"


@pytest.mark.parametrize("colour", ["asyncpg"], indirect=True)
async def test_one_who_reads_together_with_others_may_fail_or_go_alone(db: Any) -> None:
    _, _, keys = await forum(db)
    posts = db.repository(Post)
    tasks = [asyncio.create_task(posts.get(key)) for key in (keys[0], keys[1], keys[1], "no uuid", keys[2])]
    await asyncio.sleep(0)
    tasks[1].cancel()
    done: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[1], asyncio.CancelledError)
    assert isinstance(done[3], InvalidValue)
    assert [row.id for row in (done[0], done[2], done[4])] == keys
