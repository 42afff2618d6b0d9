"""Aggregates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast, overload

from sqlalchemy import ColumnElement

from pgkeel.access import select_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Condition, conditions_of

__all__ = ["Reports"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Reports(Part[R_co]):
    """Aggregates over the rows of a model."""

    __slots__ = ()

    @overload
    async def aggregate(
        self, *conditions: Condition, by: Sequence[ColumnElement[Any] | Any] = (), into: Callable[..., T], **measures: object
    ) -> list[T]: ...
    @overload
    async def aggregate(
        self, *conditions: Condition, by: Sequence[ColumnElement[Any] | Any] = (), into: None = None, **measures: object
    ) -> list[dict[str, Any]]: ...
    async def aggregate(
        self,
        *conditions: Condition,
        by: Sequence[ColumnElement[Any] | Any] = (),
        into: Callable[..., Any] | None = None,
        **measures: object,
    ) -> list[Any]:
        """Return one item a group: `aggregate(by=[Post.status], posts=func.count(), into=StatusCount)`.

        Args:
            conditions: What rows must meet.
            by: What makes a group; nothing makes one group of all rows.
            into: Called with the groups' names and the measures' as keywords; None gives dicts.
            measures: An aggregate for each name.
        """
        query, values = select_statements.aggregate(
            self._statements,
            by,
            cast("Mapping[str, ColumnElement[Any]]", measures),
            conditions_of(conditions),
            self._with_deleted,
        )
        names = (*(group.name for group in by), *measures)
        make = into or dict
        return [make(**dict(zip(names, record, strict=True))) for record in await self._runner.all(query, values)]
