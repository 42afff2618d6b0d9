"""The end of soft-deleted rows: what nobody needs goes, what others point to keeps nothing of a person."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from pgkeel.access import AlreadyExists, Database
from pgkeel.access.purging import PURGE_BATCH, Purged, soft_deleted_models
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.schema.models import Base, Comment, Post, Role, User
from tests.access.conftest import KEYS
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


PURGER = """
import sys
from datetime import timedelta
from pgkeel.access.sync import Database
from pgkeel.schema.models import Post
with Database(sys.stdin.readline().strip()) as db:
    print(db.repository(Post).purge(older_than=timedelta(days=1)).deleted)
"""


def purger(url: Url) -> "subprocess.Popen[str]":
    """A process that purges posts; it has read its address when this returns."""
    child = subprocess.Popen([sys.executable, "-c", PURGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write(url.reveal() + "\n")
    child.stdin.flush()
    return child


@pytest.mark.faults
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_a_purge_that_is_killed_leaves_whole_batches_and_is_simply_run_again(url: Url, kills: int) -> None:
    async with Database(url, keys=KEYS) as db:
        ada, posts = await new_user(db), db.repository(Post)
        await posts.insert_many([{"user_id": ada, "title": f"t{n}", "content": "c"} for n in range(30_001)])
        await db.sql("UPDATE posts SET status = 'deleted', deleted_at = now() - interval '2 days' WHERE title <> 't0'")
        for _ in range(kills):
            before = await posts.with_deleted().count()
            child = purger(url)
            while child.poll() is None and await posts.with_deleted().count() == before:
                await asyncio.sleep(0.001)
            child.kill()
            child.communicate()
            left = await posts.with_deleted().count() - 1
            assert left % PURGE_BATCH == 0
        last = purger(url)
        (said, _), code = await asyncio.to_thread(last.communicate), last.returncode
        assert (code, await posts.with_deleted().count(), await posts.count()) == (0, 1, 1)
        assert int(said) <= left


async def test_a_model_without_soft_delete_has_no_purge(db: Any) -> None:
    with pytest.raises(UsageError, match="soft delete"):
        await db.repository(Role).purge(older_than=NOW)
