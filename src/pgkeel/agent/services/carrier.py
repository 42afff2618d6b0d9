"""Carry over to the cache what the database knows: generations that were counted up, writes from outside, another epoch."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from pgkeel.agent.reach import Reach
from pgkeel.agent.services.service import Service
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load

__all__ = ["Carrier", "Invalidator", "Note", "forget_rows"]

log = get_logger(__name__)

_POLL = timedelta(milliseconds=50)
_BATCH = 200


class Note(msgspec.Struct, frozen=True):
    """Rows that somebody wrote.

    Attributes:
        relation: Their table.
        keys: Their primary keys, each a list of its parts; None for any row.
    """

    relation: str
    keys: list[list[Any]] | None


class Invalidator(Protocol):
    """The cache server; `pgkeel.cache` implements it, the stack hands it in."""

    def begin(self, epoch: str) -> None:
        """Be in this epoch of the database."""
        ...

    def forget(self, rows: Mapping[str, Sequence[Sequence[object]]], tables: Sequence[str]) -> None:
        """Let nothing of these rows, and of all rows of these tables (`*` for all), be served again."""
        ...

    def carried(self) -> Mapping[str, int]:
        """Return the generations that were carried over before."""
        ...

    def carry(self, generations: Mapping[str, int]) -> None:
        """Remember that these were carried over."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Carrier:
    """Makes the service: several agents may run it side by side."""

    def __init__(self, connect: Callable[[], Invalidator], *, poll: timedelta = _POLL) -> None:
        """Take what connects to the cache, and how often the database is asked."""
        self._connect = connect
        self._poll = poll
        self._epoch = ""

    @property
    def service(self) -> Service:
        """The service."""
        return Service("cache", self._run)

    def _run(self, reach: Reach) -> None:
        connection = reach.connect("owner")
        while not load(__name__, "has_cache_ledger").scalar(connection):
            reach.wait(timedelta(seconds=5))
        cache = self._connect()
        self._epoch = ""
        try:
            while True:
                if not self.carry(connection, cache):
                    reach.wait(self._poll)
        finally:
            cache.close()

    def carry(self, connection: Connection, cache: Invalidator) -> bool:
        """Carry over what there is now; return whether there may be more.

        What was forgotten by the cache is taken out of the database only then: after a crash in between it is done again.
        """
        news = load(__name__, "cache_news").row(connection) or {}
        if news["is_lost"]:
            log.warning("cache.outbox_lost")
        if news["epoch"] != self._epoch:
            cache.begin(news["epoch"])
            self._epoch = news["epoch"]
        _carry_generations(connection, news["generations"], cache)
        return news["has_notes"] and _carry_notes(connection, cache)


def _carry_generations(connection: Connection, generations: Mapping[str, int], cache: Invalidator) -> None:
    known = cache.carried()
    new = {relation: generation for relation, generation in generations.items() if known.get(relation) != generation}
    if new:
        forget_rows(connection, cache, {}, list(new))
        cache.carry(new)
        log.info("cache.carried", relations=sorted(new))


def _carry_notes(connection: Connection, cache: Invalidator) -> bool:
    with connection.transaction():
        notes = [msgspec.convert(row, Note) for row in load(__name__, "cache_drain").rows(connection, most=_BATCH)]
        if notes:
            forget_rows(connection, cache, _rows_of(notes), [note.relation for note in notes if note.keys is None])
    return len(notes) == _BATCH


def forget_rows(
    connection: Connection, cache: Invalidator, rows: Mapping[str, Sequence[Sequence[object]]], tables: Sequence[str]
) -> None:
    """Let nothing of rows with these primary keys, and of all rows of these tables, be served again.

    Rows of a partition are those of its table, too. Where a table has an `id` that is not its primary key, rows are cached by
    that, which nobody has said: so all of its rows go.
    """
    given = [*rows, *tables]
    known = {row["relation"]: row for row in load(__name__, "cached_as").rows(connection, relations=given)} if given else {}
    names = {name: {name, known[name]["table_name"]} if name in known else {name} for name in given}
    whole = set[str]().union(*(names[name] for name in given if name in tables or (name in known and known[name]["is_by_id"])))
    singly: dict[str, list[Sequence[object]]] = {}
    for name, keys in rows.items():
        for each in names[name] - whole:
            singly.setdefault(each, []).extend(keys)
    cache.forget(singly, sorted(whole))


def _rows_of(notes: Sequence[Note]) -> dict[str, list[Sequence[object]]]:
    rows: dict[str, list[Sequence[object]]] = {}
    for note in notes:
        if note.keys is not None:
            rows.setdefault(note.relation, []).extend(note.keys)
    return rows
