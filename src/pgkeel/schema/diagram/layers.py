"""Which box stands in which column of the picture, and in which order: parents left of children, few crossings.

After K. Sugiyama, S. Tagawa, M. Toda: Methods for Visual Understanding of Hierarchical System Structures (1981).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

import msgspec

from pgkeel.schema.diagram.graph import Diagram, Relation

__all__ = ["Line", "Place", "columns_of", "lines_of"]

_SWEEPS = 8


class Place(msgspec.Struct, frozen=True, order=True):
    """A place in a column: a table's box, or a lane through which lines of one origin pass between boxes.

    Attributes:
        name: The table, or the lines' origin.
        lane: The column number of a lane, -1 for a box.
    """

    name: str
    lane: int = -1


class Line(msgspec.Struct, frozen=True):
    """A relation as it is drawn, from left to right.

    Attributes:
        relation: What it shows.
        left: The table on its left, `left_row` the column there.
        right: The table on its right, `right_row` the column there; the same table for a loop.
        ends_at_child: Whether the child is the right one; not so where a cycle of references had to be cut.
    """

    relation: Relation
    left: str
    left_row: str
    right: str
    right_row: str
    ends_at_child: bool

    @property
    def origin(self) -> str:
        """What lines that may share a lane have in common."""
        return f"{self.left}.{self.left_row}{'?' if self.relation.is_optional else ''}"


def lines_of(diagram: Diagram, ranks: Mapping[str, int]) -> list[Line]:
    """Return the lines to draw; an N:M relation is drawn through its table."""
    return [_line(relation, ranks) for relation in diagram.relations if relation.cardinality != "N:M"]


def _line(relation: Relation, ranks: Mapping[str, int]) -> Line:
    parent, child = (relation.parent, relation.parent_columns[0]), (relation.child, relation.columns[0])
    if ranks[relation.parent] <= ranks[relation.child]:
        return Line(relation, *parent, *child, ends_at_child=True)
    return Line(relation, *child, *parent, ends_at_child=False)


def columns_of(diagram: Diagram) -> tuple[list[list[Place]], list[Line]]:
    """Return the columns of the picture from left to right, ordered, and the lines between them."""
    ranks = _ranks(diagram)
    lines = lines_of(diagram, ranks)
    columns: list[list[Place]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for entity in diagram.entities:
        columns[ranks[entity.name]].append(Place(entity.name))
    for line in lines:
        for rank in range(ranks[line.left] + 1, ranks[line.right]):
            lane = Place(line.origin, rank)
            if lane not in columns[rank]:
                columns[rank].append(lane)
    return _untangle(columns, _neighbours(lines, ranks)), lines


def _ranks(diagram: Diagram) -> dict[str, int]:
    """Return the longest way down to each table; a reference that closes a cycle does not count."""
    parents: dict[str, list[str]] = {entity.name: [] for entity in diagram.entities}
    for relation in diagram.relations:
        if relation.cardinality != "N:M" and relation.parent != relation.child:
            parents[relation.child].append(relation.parent)
    ranks: dict[str, int] = {}

    def rank(name: str, above: frozenset[str]) -> int:
        if name not in ranks:
            known = [rank(parent, above | {name}) for parent in parents[name] if parent not in above | {name}]
            ranks[name] = max(known, default=-1) + 1
        return ranks[name]

    for name in parents:
        rank(name, frozenset())
    return ranks


def _neighbours(lines: Sequence[Line], ranks: Mapping[str, int]) -> list[tuple[Place, Place]]:
    """Return the pairs of places that a line connects in two adjacent columns."""
    pairs = []
    for line in lines:
        lanes = [Place(line.origin, rank) for rank in range(ranks[line.left] + 1, ranks[line.right])]
        way = [Place(line.left), *lanes, Place(line.right)]
        pairs += [pair for pair in pairwise(way) if pair[0] != pair[1]]
    return pairs


def _untangle(columns: list[list[Place]], pairs: list[tuple[Place, Place]]) -> list[list[Place]]:
    """Return the columns with every place near the middle of those it is connected to."""
    near: dict[Place, list[Place]] = {place: [] for column in columns for place in column}
    for left, right in pairs:
        near[left].append(right)
        near[right].append(left)
    for sweep in range(_SWEEPS):
        for number, column in enumerate(columns if sweep % 2 == 0 else reversed(columns)):
            if number:
                height = {place: index / max(1, len(each) - 1) for each in columns for index, place in enumerate(each)}
                column.sort(key=lambda place: (fmean([height[other] for other in near[place]] or [height[place]]), place))
    return columns
