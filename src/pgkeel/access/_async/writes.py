"""Writes of one row."""

from typing import TypeVar

from pgkeel.access import write_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Keyed, key_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.errors import Conflict
from pgkeel.access.sealing import sealed_fields
from pgkeel.core.errors import UsageError

__all__ = ["Writes"]

R_co = TypeVar("R_co", covariant=True)
K = TypeVar("K")


class Writes(Part[R_co]):
    """Writes of one row."""

    __slots__ = ()

    async def insert(self: "Writes[Keyed[K]]", **fields: object) -> K:
        """Insert a row and return its id.

        Raises:
            AlreadyExists: Another row has a value that must be unique; `constraint` and `columns` say which.
            ForeignKeyMissing: A row that is pointed to does not exist.
            CheckFailed: A value breaks a rule of the table.
        """
        given = sealed_fields(self._shape, fields, self._statements.dialect)
        query = write_statements.insert(self._statements, tuple(given), key_only=True)
        key: K = await self._write(query, tuple(given.values()), (), fields=given)
        return key

    async def insert_row(self, **fields: object) -> R_co:
        """Insert a row and return it as the server completed it; raises what `insert` raises."""
        given = sealed_fields(self._shape, fields, self._statements.dialect)
        query = write_statements.insert(self._statements, tuple(given), key_only=False)
        row: R_co = await self._write(query, tuple(given.values()), (), fields=given)
        return row

    async def update(self, key: object, /, *, version: int | None, **fields: object) -> R_co:
        """Change a row that nobody else has changed since it was read, and return it as it is now.

        Args:
            key: The row's id.
            version: The `version` that was read. None for a model without one, or to overwrite whatever is there.
            fields: What changes.

        Raises:
            Conflict: The row has another version by now; `theirs` is the row, `yours` the fields.
            NotFound: There is no such row, or it is soft-deleted.
        """
        if not fields or (version is not None and self._shape.version is None):
            raise UsageError(
                f"nothing to change, or {self._shape.name} has no version", hint="pass fields; version=None without one"
            )
        place = key_of(self._shape, key)
        given = sealed_fields(self._shape, fields, self._statements.dialect, row=place[0])
        names, lock = tuple(given), (() if version is None else (version,))
        query = write_statements.update(self._statements, names, versioned=version is not None, with_deleted=self._with_deleted)
        spreads = not self._shape.carried.isdisjoint(fields)
        row: R_co | None = await self._write(query, (*place, *given.values(), *lock), (place,), spreads=spreads)
        if row is not None:
            return row
        theirs = None if version is None else await self._by_key(place)
        if theirs is None:
            raise self._missing()
        raise Conflict(f"{self._shape.name}: somebody else changed the row", hint="read it again", theirs=theirs, yours=fields)

    async def soft_delete(self, key: object, /) -> bool:
        """Hide a row and, as its model says, its children; False when there is none that is visible.

        Raises:
            UsageError: The model has no `deleted_at`.
        """
        self._require_soft_delete()
        return await self._found(write_statements.soft_delete(self._statements), key)

    async def restore(self, key: object, /) -> bool:
        """Show a hidden row again, with the status that it had and the children that went with it; False when there is none.

        Raises:
            UsageError: The model has no `deleted_at`.
        """
        self._require_soft_delete()
        return await self._found(write_statements.restore(self._statements), key)

    async def delete(self, key: object, /) -> bool:
        """Delete a row for good, hidden or not; False when there is none.

        Raises:
            ForeignKeyMissing: Other rows still point to it.
        """
        return await self._found(write_statements.delete(self._statements), key)

    async def _found(self, query: Compiled[R_co], key: object) -> bool:
        place = key_of(self._shape, key)
        return await self._write(query, place, (place,), spreads=True) is not None
