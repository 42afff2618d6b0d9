"""The transactional outbox."""

import psycopg
import pytest

from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect, outbox


@pytest.fixture
def outbox_db(empty_db: Url) -> Url:
    with connect(empty_db) as connection:
        up(connection, [PGKEEL])
    return empty_db


@pytest.mark.majors
def test_a_message_is_there_exactly_if_its_transaction_is_kept(outbox_db: Url) -> None:
    with connect(outbox_db) as connection:
        with connection.transaction():
            outbox.append(connection, "cache.invalidate", key="users:1", payload={"table": "users"})
        with connection.transaction(force_rollback=True):
            outbox.append(connection, "cache.invalidate", key="users:2")
        found = outbox.drain(connection)

    assert [(message.topic, message.key, message.payload) for message in found] == [
        ("cache.invalidate", "users:1", {"table": "users"})
    ]


def test_drained_messages_come_back_when_the_drain_is_rolled_back(outbox_db: Url) -> None:
    with connect(outbox_db) as connection:
        outbox.append(connection, "mail")
        with connection.transaction(force_rollback=True):
            assert len(outbox.drain(connection)) == 1
        assert len(outbox.drain(connection)) == 1
        assert outbox.drain(connection) == ()


@pytest.mark.majors
def test_two_drains_side_by_side_share_the_messages_in_order(outbox_db: Url) -> None:
    with connect(outbox_db) as one, connect(outbox_db) as other:
        ids = [outbox.append(one, "mail", key=str(number)) for number in range(4)]
        with one.transaction(), other.transaction():
            first = [message.id for message in outbox.drain(one, most=2)]
            second = [message.id for message in outbox.drain(other)]

    assert (first, second) == (ids[:2], ids[2:])


def test_a_drain_takes_only_its_topics(outbox_db: Url) -> None:
    with connect(outbox_db) as connection:
        outbox.append(connection, "mail")
        outbox.append(connection, "cache.invalidate")

        assert [message.topic for message in outbox.drain(connection, ["mail", "sms"])] == ["mail"]
        assert outbox.drain(connection, []) == ()


def test_a_topic_that_is_no_word_is_refused(outbox_db: Url) -> None:
    with connect(outbox_db) as connection, pytest.raises(psycopg.errors.CheckViolation):
        outbox.append(connection, "Not A Topic")


def test_whoever_has_no_right_on_it_can_neither_append_nor_read(outbox_db: Url) -> None:
    with connect(outbox_db) as connection:
        connection.execute("GRANT USAGE ON SCHEMA pgkeel TO pg_read_all_settings")
        connection.execute("SET ROLE pg_read_all_settings")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            outbox.append(connection, "mail")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            outbox.drain(connection)
