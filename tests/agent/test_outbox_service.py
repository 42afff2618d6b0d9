"""The outbox's messages reach their handlers: at least once, those of a key in order, whatever dies meanwhile."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from pgkeel.agent.reach import Reach
from pgkeel.agent.services.outbox import outbox_service, read_handlers
from pgkeel.core.clock import monotonic, sleep
from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect, outbox
from pgkeel.postgres.outbox import Message

QUICK = timedelta(milliseconds=20)
Start = Callable[..., Reach]


@pytest.fixture
def outbox_db(empty_db: Url) -> Url:
    with connect(empty_db) as connection:
        up(connection, [PGKEEL])
    return empty_db


@pytest.fixture
def start(outbox_db: Url) -> Iterator[Start]:
    """Starts a service in a thread, as the agent does, and stops it after the test."""
    running: list[tuple[Reach, threading.Thread]] = []

    def begin(handlers: dict[str, Callable[[Message], object]]) -> Reach:
        reach = Reach(lambda _role: connect(outbox_db))
        thread = threading.Thread(target=_run, args=(reach, handlers))
        thread.start()
        running.append((reach, thread))
        return reach

    yield begin
    for reach, thread in running:
        reach.cancel("the test is over")
        thread.join()
        reach.close()


def _run(reach: Reach, handlers: dict[str, Callable[[Message], object]]) -> None:
    try:
        outbox_service(handlers, poll=QUICK, delay=QUICK).run(reach)
    except Exception:  # noqa: BLE001 - a cut connection says so in many ways; the agent starts a service again
        return


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline
        sleep(timedelta(milliseconds=10))


def left(url: Url) -> int:
    with connect(url) as connection, connection.transaction(force_rollback=True):
        return len(outbox.drain(connection))


def test_every_message_reaches_its_handler_and_is_forgotten(outbox_db: Url, start: Start) -> None:
    seen: list[object] = []
    with connect(outbox_db) as connection:
        for number in range(150):
            outbox.append(connection, "order.paid", key=str(number % 3), payload={"n": number})
        outbox.append(connection, "nobody.listens")
    start({"order.paid": lambda message: seen.append(message.payload["n"])})
    until(lambda: len(seen) == 150)
    until(lambda: left(outbox_db) == 1)
    assert seen == list(range(150))


def test_a_handler_that_fails_holds_up_its_own_key_alone(outbox_db: Url, start: Start) -> None:
    seen: list[tuple[str, int]] = []
    failures = iter(range(3))

    def handle(message: Message) -> None:
        if message.payload["n"] == 0 and next(failures, None) is not None:
            raise RuntimeError("not yet")
        seen.append((message.key, message.payload["n"]))

    with connect(outbox_db) as connection:
        for number in range(4):
            for key in ("bad", "good"):
                outbox.append(connection, "order.paid", key=key, payload={"n": number if key == "bad" else number + 10})
    start({"order.paid": handle})
    until(lambda: len(seen) == 8)
    assert seen[:4] == [("good", 10), ("good", 11), ("good", 12), ("good", 13)]
    assert seen[4:] == [("bad", 0), ("bad", 1), ("bad", 2), ("bad", 3)]
    until(lambda: left(outbox_db) == 0)


def test_a_message_whose_deliverer_dies_is_delivered_by_the_next(outbox_db: Url, start: Start) -> None:
    began, may_end = threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(message: Message) -> None:
        began.set()
        may_end.wait(20)
        assert message.id

    with connect(outbox_db) as connection:
        outbox.append(connection, "order.paid")
        first = start({"order.paid": slow})
        assert began.wait(20)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
        )
        start({"order.paid": lambda message: seen.append(message.id)})
        until(lambda: len(seen) == 1)
        may_end.set()
        until(lambda: left(outbox_db) == 0)
        assert first.reason is None


def test_one_agent_of_many_delivers(outbox_db: Url, start: Start) -> None:
    seen: list[int] = []
    for _ in range(3):
        start({"order.paid": lambda message: seen.append(message.id)})
    with connect(outbox_db) as connection:
        ids = [outbox.append(connection, "order.paid") for _ in range(50)]
    until(lambda: left(outbox_db) == 0)
    assert seen == ids


def test_handlers_are_named_in_the_configuration() -> None:
    assert {topic: id(each) for topic, each in read_handlers({"a": "pgkeel.postgres.outbox:append"}).items()} == {
        "a": id(outbox.append)
    }
    for wrong in (
        "pgkeel.nowhere:x",
        "pgkeel.postgres.outbox:nothing",
        "pgkeel.postgres.outbox",
        "pgkeel.core.config:__all__",
        "",
    ):
        with pytest.raises(ConfigError, match=r"agent\.handlers: a = "):
            read_handlers({"a": wrong})
