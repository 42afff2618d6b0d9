"""Reports: sums by buckets of time, and more rows than fit into memory."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import func

from pgkeel.access.buckets import bucket
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.schema.models import Event, Post
from tests.access.people import new_user


@pytest.fixture
def url(shared_url: Url) -> Url:
    return shared_url


class Sales(msgspec.Struct, frozen=True):
    occurred_at: datetime
    sales: int


@pytest.mark.majors
@pytest.mark.parametrize(
    ("width", "zone", "expected"),
    [
        ("day", "UTC", {(1, 5, 0): 2, (1, 6, 0): 1}),
        ("month", "UTC", {(1, 1, 0): 3}),
        ("day", "Europe/Berlin", {(1, 4, 23): 1, (1, 5, 23): 2}),
        (timedelta(hours=12), "UTC", {(1, 5, 0): 1, (1, 5, 12): 1, (1, 6, 0): 1}),
        ("week", "UTC", {(1, 1, 0): 3}),
    ],
)
async def test_sums_come_by_buckets_of_time(db: Any, width: Any, zone: str, expected: dict[Any, int]) -> None:
    events = db.repository(Event)
    for day, hour in ((5, 3), (5, 23), (6, 1)):
        await events.insert(type="sale", occurred_at=datetime(2024, 1, day, hour, tzinfo=UTC))
    found = await events.aggregate(by=[bucket(Event.occurred_at, width, zone=zone)], sales=func.count(), into=Sales)
    assert {(row.occurred_at.month, row.occurred_at.day, row.occurred_at.hour): row.sales for row in found} == expected
    assert [row.occurred_at for row in found] == sorted(row.occurred_at for row in found)


@pytest.mark.parametrize(("width", "zone"), [("fortnight", "UTC"), ("day", "Mars"), (timedelta(milliseconds=5), "UTC")])
def test_a_bucket_that_does_not_exist_is_refused(width: Any, zone: str) -> None:
    with pytest.raises(UsageError):
        bucket(Event.occurred_at, width, zone=zone)


async def many(db: Any, count: int) -> UUID:
    author = await new_user(db)
    await db.repository(Post).insert_many({"user_id": author, "title": f"t{n:04}", "content": "c"} for n in range(count))
    return author


@pytest.mark.majors
async def test_a_stream_reads_every_row_a_batch_at_a_time(db: Any) -> None:
    author = await many(db, 257)
    posts = db.repository(Post)
    for _ in range(2):
        async with posts.stream(Post.user_id == author, order_by=Post.title, batch=50) as rows:
            titles = [row.title async for row in rows]
        assert titles == [f"t{n:04}" for n in range(257)]
    async with posts.stream(Post.title == "none") as rows:
        assert [row async for row in rows] == []


async def broken(posts: Any) -> None:
    async with posts.stream(batch=5) as rows:
        async for _ in rows:
            raise RuntimeError("mine")


async def test_a_stream_may_be_left_early_and_fail_in_the_middle(db: Any) -> None:
    await many(db, 30)
    posts = db.repository(Post)
    for _ in range(12):
        async with posts.stream(batch=5) as rows:
            async for _ in rows:
                break
    for _ in range(12):
        with pytest.raises(RuntimeError, match="mine"):
            await broken(posts)
    assert await posts.count() == 30
