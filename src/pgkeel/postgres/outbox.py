"""The transactional outbox: say in a transaction what must happen outside of the database once it is kept.

Services that are not synchronous run the same files, `outbox_append` and `outbox_drain`, through `Query.numbered()`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pgkeel.postgres.connection import Connection
from pgkeel.postgres.query import load

__all__ = ["Message", "append", "done", "drain", "due", "later"]


class Message(msgspec.Struct, frozen=True):
    """One message.

    Attributes:
        id: Grows with time, has gaps.
        topic: Who it is for, such as `cache.invalidate`.
        key: What it is about; "" for nothing in particular.
        payload: What is to be known.
        created_at: When it was written.
        attempts: How often its delivery has failed.
    """

    id: int
    topic: str
    key: str
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int = 0


def append(connection: Connection, topic: str, *, key: str = "", payload: Mapping[str, object] | None = None) -> int:
    """Add a message to the open transaction and return its id; it can be drained once that commits."""
    text = json.dumps(dict(payload or {}), default=str)
    return int(load(__name__, "outbox_append").scalar(connection, topic=topic, key=key, payload=text))


def drain(connection: Connection, topics: Sequence[str] | None = None, *, most: int = 100) -> tuple[Message, ...]:
    """Take the oldest messages of some topics, of all where None, out of the outbox.

    They come back if the open transaction is rolled back: do what they say, then commit, and be prepared to do it twice.
    """
    wanted = list(topics) if topics is not None else None
    rows = load(__name__, "outbox_drain").rows(connection, topics=wanted, most=most)
    return tuple(msgspec.convert(row, Message) for row in rows)


def due(connection: Connection, topics: Sequence[str], *, most: int = 100) -> tuple[Message, ...]:
    """Return the oldest messages of some topics that may be delivered now; they stay until they are `done`."""
    rows = load(__name__, "outbox_due").rows(connection, topics=list(topics), most=most)
    return tuple(msgspec.convert(row, Message) for row in rows)


def done(connection: Connection, ids: Sequence[int]) -> int:
    """Forget messages that were delivered, and return how many there still were."""
    return int(load(__name__, "outbox_done").scalar(connection, ids=list(ids)))


def later(connection: Connection, message: int, delay: timedelta) -> None:
    """Put off a message whose delivery failed, and with it the later ones of its key."""
    load(__name__, "outbox_later").scalar(connection, id=message, delay=delay)
