"""A table of one row behind a cache, for tests."""

from typing import Any
from uuid import UUID

import msgspec

from pgkeel.cache.names import Names
from tests.cache.conftest import SECRET

KEY = UUID(int=7)
NAMES = Names("pgkeel", SECRET)


class UserRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class Table:
    """The database: one value a key, and how often it was asked."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.name: str | None = "ada"
        self.asked = 0

    async def load(self, key: UUID) -> UserRow | None:
        self.asked += 1
        return None if self.name is None else UserRow(key, self.name)

    async def read(self) -> str | None:
        row = await self.rows.get(KEY, self.load)
        return row.name if row else None


def users(cache: Any, **options: Any) -> Table:
    return Table(cache.rows("users", UserRow, key=UUID, **options))


def touch(cache: Any, table: Table) -> Any:
    return cache.change(table.rows.row(KEY))
