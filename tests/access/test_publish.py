"""What transactions publish, and what is done once."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from pgkeel.access import CheckFailed, Event
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect, outbox
from tests.access.conftest import done


class Receipt(msgspec.Struct, frozen=True):
    number: int
    at: datetime


@pytest.fixture
async def shop(open_db: Any, url: Url) -> Any:
    with connect(url) as connection:
        up(connection, [PGKEEL])
    return await open_db()


@pytest.mark.majors
async def test_an_event_is_there_exactly_if_its_transaction_is_kept(shop: Any, url: Url) -> None:
    order = uuid4()
    async with shop.transaction() as tx:
        await done(
            tx.publish(Event("order.paid", key=str(order), payload={"order": order, "at": datetime(2024, 1, 1, tzinfo=UTC)}))
        )
        await done(tx.publish(Event("order.paid")))
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the unit of work
        async with shop.transaction() as tx:
            await done(tx.publish(Event("order.paid", key="gone")))
            raise RuntimeError
    with connect(url) as connection:
        found = outbox.drain(connection)
    assert [(message.topic, message.key, message.payload) for message in found] == [
        ("order.paid", str(order), {"order": str(order), "at": "2024-01-01T00:00:00Z"}),
        ("order.paid", "", {}),
    ]


async def test_an_event_that_cannot_be_written_is_refused(shop: Any) -> None:
    with pytest.raises(UsageError):
        async with shop.transaction() as tx:
            await done(tx.publish(Event("order.paid", payload={"order": object()})))
    with pytest.raises(CheckFailed):
        async with shop.transaction() as tx:
            await done(tx.publish(Event("Not A Topic")))


async def test_events_of_one_key_are_numbered_in_the_order_of_their_commits(shop: Any, url: Url, colour: str) -> None:
    if colour == "psycopg-sync":
        pytest.skip("two transactions at once in one thread would wait for each other")
    first_published, order = asyncio.Event(), []

    async def first() -> None:
        async with shop.transaction() as tx:
            await tx.publish(Event("order.paid", key="1", payload={"n": 1}))
            first_published.set()
            await asyncio.sleep(0.1)
            order.append(1)

    async def second() -> None:
        await first_published.wait()
        async with shop.transaction() as tx:
            await tx.publish(Event("order.paid", key="1", payload={"n": 2}))
            order.append(2)

    await asyncio.gather(first(), second())
    with connect(url) as connection:
        found = outbox.drain(connection)
    assert order == [message.payload["n"] for message in found] == [1, 2]


@pytest.mark.majors
async def test_work_under_a_key_is_done_once_and_its_result_kept(shop: Any, colour: str) -> None:
    calls = []

    async def pay() -> Receipt:
        calls.append(1)
        return Receipt(len(calls), datetime(2024, 1, 1, tzinfo=UTC))

    def pay_plainly() -> Receipt:
        calls.append(1)
        return Receipt(len(calls), datetime(2024, 1, 1, tzinfo=UTC))

    work = pay_plainly if colour == "psycopg-sync" else pay
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the unit of work
        async with shop.transaction() as tx:
            await done(tx.once("payment:42", work, into=Receipt))
            raise RuntimeError
    for _ in range(2):
        async with shop.transaction() as tx:
            assert await done(tx.once("payment:42", work, into=Receipt)) == Receipt(2, datetime(2024, 1, 1, tzinfo=UTC))
    assert len(calls) == 2
    with pytest.raises(UsageError):
        async with shop.transaction() as tx:
            await done(tx.once("payment:42", work, into=int))


async def test_twenty_who_come_with_one_key_do_the_work_once(shop: Any, colour: str) -> None:
    if colour == "psycopg-sync":
        pytest.skip("one thread cannot wait for itself")
    calls = []

    async def pay() -> int:
        calls.append(1)
        await asyncio.sleep(0.02)
        return len(calls)

    async def come() -> int:
        async with shop.transaction() as tx:
            return int(await tx.once("payment:42", pay, into=int))

    assert set(await asyncio.gather(*(come() for _ in range(8)))) == {1}
    assert len(calls) == 1
