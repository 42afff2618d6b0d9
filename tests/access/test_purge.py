"""The end of soft-deleted rows: what nobody needs goes, what others point to keeps nothing of a person."""

from datetime import timedelta
from typing import Any

import pytest

from pgkeel.access import AlreadyExists
from pgkeel.access.purging import Purged, soft_deleted_models
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.schema.models import Base, Comment, Post, Role, User
from tests.access.people import new_user

NOW = timedelta(seconds=-60)


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


@pytest.mark.majors
async def test_a_user_who_is_pointed_to_becomes_a_tombstone_and_frees_the_address(db: Any) -> None:
    users, posts = db.repository(User), db.repository(Post)
    ada = await new_user(db, "ada", username="ada", phone="123")
    bob = await new_user(db, "bob")
    key = await posts.insert(user_id=ada, title="t", content="c")
    for user in (ada, bob):
        await users.soft_delete(user)
    with pytest.raises(AlreadyExists):
        await new_user(db, "ada")
    assert await users.purge(older_than=timedelta(days=1)) == Purged(0, 0)
    assert await users.purge(older_than=NOW) == Purged(deleted=1, buried=1)
    assert await users.purge(older_than=NOW) == Purged(0, 0)
    grave = await users.with_deleted().get(ada)
    assert (grave.email_sealed.value, grave.username, grave.phone, grave.password_hash) == (ada.bytes, None, None, "!")
    assert await users.with_deleted().get(bob) is None
    assert (await posts.get(key)).user_id == ada
    assert await new_user(db, "ada", username="ada") is not None


async def test_children_go_before_their_parents(db: Any) -> None:
    ada = await new_user(db)
    posts, comments = db.repository(Post), db.repository(Comment)
    key = await posts.insert(user_id=ada, title="t", content="c")
    await comments.insert(post_id=key, user_id=ada, content="well")
    await posts.soft_delete(key)
    await db.repository(User).soft_delete(ada)
    done = {model.__name__: await db.repository(model).purge(older_than=NOW) for model in soft_deleted_models(Base)}
    assert done == {"Comment": Purged(1, 0), "Post": Purged(1, 0), "User": Purged(1, 0)}
    assert list(done) == ["Comment", "Post", "User"]


async def test_more_rows_than_a_batch_go_in_several(db: Any) -> None:
    ada, posts = await new_user(db), db.repository(Post)
    keys = await posts.insert_many_returning({"user_id": ada, "title": f"t{n}", "content": "c"} for n in range(1003))
    await posts.soft_delete_many(keys[:-1])
    assert await posts.purge(older_than=NOW) == Purged(1002, 0)
    assert await posts.with_deleted().count() == 1


async def test_a_model_without_soft_delete_has_no_purge(db: Any) -> None:
    with pytest.raises(UsageError, match="soft delete"):
        await db.repository(Role).purge(older_than=NOW)
