"""What others than writers of the application tell the cache: rows and tables that are not to be served again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pgkeel.cache._colour.crowd_of_threads import Crowd
from pgkeel.cache._sync.client import Client
from pgkeel.cache.announcing import Said
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import Names
from pgkeel.cache.touched import EVERYTHING, Keys, Touched, keys_of
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.secret import Secret

__all__ = ["Carried"]

_BATCH = 500


class Carried:
    """One connection to a cache, for the agent: it is told what the database knows."""

    def __init__(self, url: CacheUrl, namespace: str, secret: Secret, mark: int) -> None:
        """Take the address, what all processes share, and how long a mark lasts in milliseconds."""
        self._names = Names(namespace, secret)
        self._client = Client(url, home=self._names.epoch)
        self._crowd = Crowd(self._client)
        self._mark = mark

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def begin(self, epoch: str) -> None:
        """Be in this epoch of the database: what was cached in another is not served.

        Raises:
            Unreachable: The server does not answer.
        """
        self._client.open()
        run = self._client.server.run if self._client.server else ""
        self._client.run("epoch", [self._names.epoch], run, self._mark, fresh(), 0, epoch)

    def forget(self, rows: Mapping[str, Sequence[Sequence[object]]], tables: Iterable[str]) -> None:
        """Let nothing of these rows, and of all rows of these tables (`*` for all), be served again.

        A row's key has the type that JSON gave it; where a struct's key has another (a date), its whole table is to be named.

        Raises:
            Unreachable: The server does not answer.
        """
        touched = [EVERYTHING if table == "*" else Touched(table, every_row=True) for table in tables]
        for table, keys in rows.items():
            name = self._names.rows(table)
            touched += [Touched(table, row=name(_key(parts)), every_value=True) for parts in keys]
        said = keys_of(touched, self._names)
        singly = [*(Keys([row], {}) for row in said.rows), *(Keys([], {tag: b""}) for tag in said.tags)]
        for start in range(0, len(singly), _BATCH):
            self._crowd.say([Said(one, b"", is_over=True) for one in singly[start : start + _BATCH]])

    def carried(self) -> dict[str, int]:
        """Return the generations that were carried over before.

        Raises:
            Unreachable: The server does not answer.
        """
        raw = self._client.call("GET", self._names.carried)
        try:
            return msgspec.msgpack.decode(raw, type=dict[str, int]) if raw else {}
        except ValueError:
            return {}

    def carry(self, generations: Mapping[str, int]) -> None:
        """Remember that these were carried over.

        Raises:
            Unreachable: The server does not answer.
        """
        known: dict[str, Any] = {**self.carried(), **generations}
        self._client.call("SET", self._names.carried, msgspec.msgpack.encode(known))


def _key(parts: Sequence[object]) -> object:
    return parts[0] if len(parts) == 1 else tuple(parts)
