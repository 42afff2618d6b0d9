"""Whether an index serves an ordering or a search, at any size of the table: the planner is asked with sorting made dear."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pgkeel.access.compiled import Compiled
from pgkeel.access.ordering import Order
from pgkeel.access.shape import Shape
from pgkeel.access.statements import scalar
from pgkeel.core.errors import UsageError
from pgkeel.postgres import load
from pgkeel.schema.ddl import quoted

__all__ = ["PROBE", "MissingIndex", "OrderingIndex", "estimated_rows", "has_index", "ordering_index", "planned"]

PROBE = (
    "BEGIN READ ONLY",
    "SET LOCAL enable_sort = off",
    "SET LOCAL enable_incremental_sort = off",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
)


class MissingIndex(UsageError):
    """A statement would read the whole table, because its index is not in the database."""

    code = "missing_index"


class OrderingIndex(msgspec.Struct, frozen=True):
    """Which index gives the rows of an ordering in its order, without a sort.

    Attributes:
        names: The indexes that are read in order (one a partition); () when rows are sorted at every page.
        presorted: How many of the ordering's columns an index gives in order even so; the rest is sorted within.
        advice: The index that would serve; "" when one does.
    """

    names: tuple[str, ...]
    presorted: int
    advice: str

    def __bool__(self) -> bool:
        """Return whether an index serves the ordering."""
        return bool(self.names)


def has_index(name: str) -> tuple[str, list[object]]:
    """Return the statement that tells whether a valid index of this name is there, and its values."""
    return load(__name__, "search_index").numbered()[0], [name]


def planned(query: Compiled[Any]) -> Compiled[list[dict[str, Any]]]:
    """Return the statement that shows the plan of another one, with the same values; nothing is run."""
    return query.prefixed("EXPLAIN (FORMAT JSON) ", scalar)


def estimated_rows(plan: Sequence[Mapping[str, Any]]) -> int:
    """Return how many rows the planner expects."""
    rows: float = plan[0]["Plan"]["Plan Rows"]
    return round(rows)


def ordering_index(shape: Shape[Any], orders: Sequence[Order], plan: Sequence[Mapping[str, Any]]) -> OrderingIndex:
    """Return what a plan made under `PROBE` says about an ordering."""
    nodes = list(_nodes(plan[0]["Plan"]))
    sorts = [node for node in nodes if node["Node Type"] in {"Sort", "Incremental Sort"}]
    if sorts:
        presorted = len(sorts[0].get("Presorted Key", ()))
        return OrderingIndex((), presorted, _advice(shape, orders))
    names = tuple(node["Index Name"] for node in nodes if node["Node Type"] in {"Index Scan", "Index Only Scan"})
    return OrderingIndex(names, len(orders), "") if names else OrderingIndex((), 0, _advice(shape, orders))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _advice(shape: Shape[Any], orders: Sequence[Order]) -> str:
    """Return the CREATE INDEX; columns that are compared with `=` belong before these."""
    parts = []
    for order in orders:
        part = quoted(order.column) + (" DESC" if order.is_descending else "")
        rule = order.is_descending
        parts.append(part if order.nulls_first == rule else f"{part} NULLS {'FIRST' if order.nulls_first else 'LAST'}")
    name = quoted("_".join(["idx", shape.table.name, *(order.column for order in orders)])[:63])
    return f"CREATE INDEX CONCURRENTLY {name} ON {quoted(shape.table.name)} ({', '.join(parts)})"
