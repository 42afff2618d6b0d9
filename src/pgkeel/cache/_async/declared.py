"""By the values of which columns results are tagged: what this process declares, and what others do.

A process that declares columns says so in the cache, and hears what others declare, once in a `mark` while it works. A write
names the values of its own columns and no more only while nobody declares another column of the table; else it touches all
values. A reader relies on a column two marks after it was first declared: within one, every writer has heard of it; within the
other, every write that began before has ended. What nobody says again ends after five minutes, and results that relied on it
end with it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pgkeel.cache._async.client import Client
from pgkeel.cache._colour.asynchronous import Gate
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import DIGEST, Names
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import KeelError

__all__ = ["Declared", "Heard"]

_AGAIN = 1.0


class Heard(msgspec.Struct, frozen=True):
    """What was heard last.

    Attributes:
        relied: Table → columns on whose values readers here may rely.
        agreed: Tables of which nobody declares a column that this process does not.
        epoch: The epoch in which our own columns are declared; a result that relies on them is not kept in another.
        until: When to ask again; by `monotonic()`.
    """

    relied: Mapping[str, frozenset[str]] = {}
    agreed: frozenset[str] = frozenset()
    epoch: bytes = b""
    until: float = 0.0


class Declared:
    """The declarations of one process.

    Attributes:
        columns: Table → columns; tables with none are not named.
        heard: What was heard last; whoever uses it looks at `until` first.
        life: Milliseconds after which what nobody says again ends.
    """

    def __init__(self, client: Client, names: Names, mark: int) -> None:
        """Declare nothing; `mark` is in milliseconds."""
        self.columns: dict[str, frozenset[str]] = {}
        self.heard = Heard()
        self.life = max(300_000, 10 * mark)
        self._client = client
        self._names = names
        self._mark = mark
        self._gate = Gate()

    def declare(self, table: str, columns: Iterable[str]) -> None:
        """Declare these columns of a table, instead of those before."""
        wanted = frozenset(columns)
        if self.columns.get(table, frozenset()) != wanted:
            known = {**self.columns, table: wanted}
            self.columns = {one: its for one, its in known.items() if its}
            self.heard = Heard()

    async def now(self) -> Heard:
        """Return what was heard less than a `mark` ago; nothing where the cache does not answer."""
        if monotonic() < self.heard.until or not self.columns:
            return self.heard
        async with self._gate:
            asked = monotonic()
            if asked >= self.heard.until:
                self.heard = await self._asked(asked)
            return self.heard

    def forget(self) -> None:
        """Ask again before anybody relies on anything."""
        self.heard = Heard()

    async def _asked(self, asked: float) -> Heard:
        mine = {self._names.declared(table, one): (table, one) for table, its in self.columns.items() for one in its}
        keys = [self._names.declarations, self._names.epoch, *(self._names.inexact(table) for table, _ in mine.values())]
        try:
            reply = await self._client.run("declare", keys, self.life, fresh(), *mine)
        except KeelError:
            return Heard(until=asked + _AGAIN)
        return self._made_of(reply, mine, asked)

    def _made_of(self, reply: list[Any], mine: Mapping[bytes, tuple[str, str]], asked: float) -> Heard:
        epoch, at, *said = reply
        since = dict(zip(said[::2], map(int, said[1::2]), strict=True))
        waits = {field: since[field] + 2 * self._mark - int(at) for field in mine}
        relied: dict[str, frozenset[str]] = {}
        for field, (table, column) in mine.items():
            if waits[field] <= 0 and epoch:
                relied[table] = relied.get(table, frozenset()) | {column}
        others = {field[:DIGEST] for field in since if field not in mine}
        agreed = frozenset(table for field, (table, _) in mine.items() if field[:DIGEST] not in others)
        soonest = min([self._mark, *(wait for wait in waits.values() if wait > 0)])
        return Heard(relied, agreed, epoch, asked + soonest / 1000)
