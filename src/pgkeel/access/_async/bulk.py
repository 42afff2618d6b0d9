"""Writes of many rows at once: COPY, or a statement over arrays, from 10,000 rows on several of one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, or_

from pgkeel.access import bulk_statements, select_statements
from pgkeel.access._async.loader import Loader
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Keyed, Row, fields_of_row, single_key
from pgkeel.access.batch import batch_of, batches_of, last_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.outcome import Inserted, Upserted
from pgkeel.access.sealing import is_bound_elsewhere, sealed_place, with_digests, with_keys, with_places
from pgkeel.access.tagging import values_of_rows
from pgkeel.core.errors import UsageError

__all__ = ["Bulk"]

R_co = TypeVar("R_co", covariant=True)
K = TypeVar("K")


class Bulk(Part[R_co]):
    """Writes of many rows at once. Rows are mappings or structs, all with the fields of the first."""

    __slots__ = ()

    async def insert_many(self, rows: Iterable[Row]) -> int:
        """Insert rows by binary COPY, all or none, and return how many.

        Args:
            rows: Read as a stream.

        Raises:
            AlreadyExists: And its like; `row` says which row it was, `constraint` what it breaks.
        """
        batch = batch_of(self._shape, rows, self._dialect)
        if batch is None:
            return 0
        return await self._copy(batch, f"{self._shape.name}.insert_many")

    async def insert_valid(self, rows: Iterable[Row]) -> Inserted:
        """Insert by COPY what the table takes, in one transaction, and report every row that it refuses, and why.

        Each refused row costs another COPY of rows around it: it is meant for few bad rows among many good ones.

        Args:
            rows: Read as a stream.

        Raises:
            UsageError: Inside of a unit of work.
        """
        batch = batch_of(self._shape, rows, self._dialect)
        if batch is None:
            return Inserted(0, ())
        loader = Loader(self._runner, self._shape)
        return await self._runner.announced(self._touched((), spreads=False), lambda: loader.load(batch))

    async def insert_many_returning(self: "Bulk[Keyed[K]]", rows: Iterable[Row]) -> list[K]:
        """Insert rows, all or none, and return their ids in the order of the rows."""
        batch = batch_of(self._shape, rows, self._dialect)
        if batch is None:
            return []
        query: Compiled[K] = bulk_statements.insert_many(self._statements, batch.names)
        given = batch.values()
        tagged = values_of_rows(self._shape, batch.names, given) if self._runner.hooks else None
        return await self._write_all(query, batches_of(given, len(batch.names)), (), tagged=tagged)

    async def upsert_many(
        self: "Bulk[Keyed[K]]", rows: Iterable[Row], *, on: str | Sequence[str] = "id", update: Sequence[str] | None = None
    ) -> list[Upserted[K]]:
        """Insert rows, or change those that are there, all or none.

        Returns:
            For each row, in their order, its id and whether it is new. With `update=()` rows that are there are left alone,
            and only the new ones are returned. Of two given rows with one key the later one counts. A hidden row that is met
            is changed and stays hidden.

        Args:
            rows: What shall be there.
            on: Columns of a primary key or unique constraint, which decide whether a row is there. An encrypted one with a blind
                index stands alone. Where encrypted values are changed, rows are looked for first and keep their ids; one that
                somebody else adds with the same values meanwhile is `AlreadyExists`: run it again.
            update: Fields that change where it is; all others than `on` when nothing is said.
        """
        place = (on,) if isinstance(on, str) else tuple(on)
        has_equal_nulls = self._shape.has_equal_nulls(place)
        sealed = sealed_place(self._shape, place)
        if sealed is not None:
            rows, place = await self._with_keys(list(rows), place[0], sealed), (str(self._shape.key[0].name),)
        elif self._shape.encrypted:
            rows = given = [fields_of_row(row) for row in rows]
            if is_bound_elsewhere(self._shape, given, place, update):
                rows, place = await self._with_places(given, place), tuple(str(column.name) for column in self._shape.primary)
        update = None if update is None else with_digests(self._shape, update)
        batch = batch_of(self._shape, rows, self._dialect)
        if batch is None:
            return []
        _require(batch.names, (*place, *(update or ())))
        changed = tuple(name for name in batch.names if name not in place) if update is None else tuple(update)
        query = bulk_statements.upsert_many(self._statements, batch.names, place, changed)
        places = [batch.names.index(name) for name in place]
        kept, order = last_of(batch.values(), places, has_equal_nulls=has_equal_nulls)
        spreads = not self._shape.carried.isdisjoint(changed)
        found = await self._write_all(query, batches_of(kept, len(batch.names)), None, spreads=spreads)
        done = [Upserted(key, inserted) for key, inserted in found]
        return [done[place] for place in order] if changed else done

    async def update_many(self: "Bulk[Keyed[K]]", rows: Iterable[Row]) -> list[K]:
        """Change rows by their ids, all or none, and return the ids of those that changed.

        An id that is not returned has no row, a hidden one, or one with another `version` than the given row says.

        Args:
            rows: Each with its `id`, what changes, and the `version` that was read where a lost update matters.
        """
        single_key(self._shape)
        batch = batch_of(self._shape, rows, self._dialect)
        if batch is None:
            return []
        key = str(self._shape.key[0].name)
        _require(batch.names, (key,))
        versioned = "version" in batch.names and self._shape.version is not None
        query: Compiled[K] = bulk_statements.update_many(
            self._statements, batch.names, versioned=versioned, with_deleted=self._with_deleted
        )
        place = batch.names.index(key)
        kept, _ = last_of(batch.values(), [place])
        spreads = not self._shape.carried.isdisjoint(batch.names)
        return await self._write_all(query, batches_of(kept, len(batch.names)), [(row[place],) for row in kept], spreads=spreads)

    async def delete_many(self: "Bulk[Keyed[K]]", keys: Iterable[K]) -> list[K]:
        """Delete rows for good, hidden or not, and return the ids of those that were there.

        Raises:
            ForeignKeyMissing: Other rows still point to one of them; then none is deleted.
        """
        return await self._by_keys(bulk_statements.delete_many(self._statements), keys)

    async def soft_delete_many(self: "Bulk[Keyed[K]]", keys: Iterable[K]) -> list[K]:
        """Hide rows and, as their model says, their children; returns the ids of those that were visible."""
        self._require_soft_delete()
        return await self._by_keys(bulk_statements.soft_delete_many(self._statements), keys)

    async def restore_many(self: "Bulk[Keyed[K]]", keys: Iterable[K]) -> list[K]:
        """Show hidden rows again, as `restore` does; returns the ids of those that were hidden."""
        self._require_soft_delete()
        return await self._by_keys(bulk_statements.restore_many(self._statements), keys)

    async def _with_keys(self, rows: list[Row], name: str, column: Column[Any]) -> list[Row]:
        """Return rows with the ids of those that are there: a sealed value is bound to its row."""
        given = [fields_of_row(row) for row in rows]
        for fields in given:
            _require(tuple(fields), (name,))
        condition = column.in_([fields[name] for fields in given])
        query, values = select_statements.filtered(self._statements, (), None, [condition], True)
        return with_keys(self._shape, given, name, column, await self._runner.all(query, values))

    async def _with_places(self, rows: Sequence[Mapping[str, object]], place: Sequence[str]) -> list[Mapping[str, object]]:
        """Return rows with the primary keys of those that have the same values in some columns."""
        for fields in rows:
            _require(tuple(fields), place)
        conditions = [self._one_of(name, [fields[name] for fields in rows], place) for name in place]
        query, values = select_statements.filtered(self._statements, (), None, conditions, True)
        return with_places(self._shape, rows, place, await self._runner.all(query, values))

    def _one_of(self, name: str, values: Sequence[object], place: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition that a column of a key holds one of these values; NULLs are looked for where they may conflict."""
        column, given = self._shape.column(name), [value for value in values if value is not None]
        has_null = len(given) < len(values) and self._shape.has_equal_nulls(place)
        return or_(column.in_(given), column.is_(None)) if has_null else column.in_(given)

    async def _by_keys(self, query: Compiled[K], keys: Iterable[K]) -> list[K]:
        single_key(self._shape)
        given = list(keys)
        return await self._write_all(query, [(given,)], [(key,) for key in given], spreads=True)


def _require(names: Sequence[str], wanted: Iterable[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UsageError(f"the rows have no {', '.join(missing)}", hint="give every row the fields that are named")
