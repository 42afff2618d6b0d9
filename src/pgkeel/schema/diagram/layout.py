"""Where boxes and lines of the picture lie, in pixels. Lines of one origin share a trunk; none runs through a box."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pgkeel.schema.diagram.graph import Diagram, Entity
from pgkeel.schema.diagram.layers import Line, Place, columns_of

__all__ = ["CHAR", "HEAD", "MARKS", "PAD", "ROW", "Box", "Layout", "Point", "Route", "layout"]

CHAR = 7.2  # width of a letter in a monospaced font of 12 pixels
ROW, HEAD, PAD, MARKS = 22, 32, 14, 38
_MARGIN, _GAP, _LANE_HEIGHT, _LANE_STEP, _END = 28, 34, 16, 14, 34

Point = tuple[float, float]


class Box(msgspec.Struct, frozen=True):
    """A table's box."""

    entity: Entity
    x: float
    y: float
    width: float

    @property
    def height(self) -> float:
        """Its height: the head and one row a column."""
        return HEAD + ROW * len(self.entity.fields) + 4

    def row(self, column: str) -> float:
        """Return the middle of a column's row."""
        names = [field.name for field in self.entity.fields]
        return self.y + HEAD + ROW * (names.index(column) + 0.5)


class Route(msgspec.Struct, frozen=True):
    """A line with the points that it runs through."""

    line: Line
    points: tuple[Point, ...]


class Layout(msgspec.Struct, frozen=True):
    """The picture."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


class _Grid(msgspec.Struct, frozen=True):
    """Columns with their places: left edge and width of each, the trunks behind each, and the middle of every lane."""

    left: list[float]
    widths: list[float]
    trunks: list[list[str]]
    boxes: dict[str, Box]
    lanes: dict[Place, float]
    ranks: dict[str, int]

    def trunk(self, rank: int, origin: str) -> float:
        return self.left[rank] + self.widths[rank] + _END + _LANE_STEP * self.trunks[rank].index(origin)


def layout(diagram: Diagram) -> Layout:
    """Return where everything lies."""
    columns, lines = columns_of(diagram)
    grid = _grid(columns, lines, {entity.name: entity for entity in diagram.entities})
    routes = tuple(Route(line, tuple(_points(line, grid))) for line in lines)
    boxes = tuple(grid.boxes[entity.name] for entity in diagram.entities)
    last = len(columns) - 1
    right = grid.left[last] + grid.widths[last] + (_behind(grid.trunks[last]) if grid.trunks[last] else 0) if columns else 0
    bottom = max([box.y + box.height for box in boxes] + [y + _LANE_HEIGHT for y in grid.lanes.values()], default=0)
    return Layout(right + _MARGIN, bottom + _MARGIN, boxes, routes)


def _grid(columns: list[list[Place]], lines: Sequence[Line], entities: Mapping[str, Entity]) -> _Grid:
    ranks = {place.name: rank for rank, column in enumerate(columns) for place in column if place.lane < 0}
    trunks = [sorted({line.origin for line in lines if _passes(line, rank, ranks)}) for rank in range(len(columns))]
    widths = [max([_width(entities[place.name]) for place in column if place.lane < 0], default=0) for column in columns]
    left = [_MARGIN + sum(widths[:rank]) + sum(_behind(trunk) for trunk in trunks[:rank]) for rank in range(len(columns))]
    boxes: dict[str, Box] = {}
    lanes: dict[Place, float] = {}
    tallest = max((_height(column, entities) for column in columns), default=0)
    for rank, column in enumerate(columns):
        y = _MARGIN + (tallest - _height(column, entities)) / 2
        for place in column:
            if place.lane < 0:
                boxes[place.name] = Box(entities[place.name], left[rank], y, widths[rank])
                y += boxes[place.name].height + _GAP
            else:
                lanes[place] = y + _LANE_HEIGHT / 2
                y += _LANE_HEIGHT + _GAP
    return _Grid(left, widths, trunks, boxes, lanes, ranks)


def _passes(line: Line, rank: int, ranks: Mapping[str, int]) -> bool:
    if line.left == line.right:
        return ranks[line.left] == rank
    return ranks[line.left] <= rank < max(ranks[line.right], ranks[line.left] + 1)


def _behind(trunks: Sequence[str]) -> float:
    """Return the room behind a column: both ends of its lines and its trunks."""
    return 2 * _END + _LANE_STEP * max(0, len(trunks) - 1)


def _width(entity: Entity) -> float:
    name = max((len(field.name) for field in entity.fields), default=0)
    kind = max((len(field.type) for field in entity.fields), default=0)
    return max((name + kind + 3) * CHAR + 2 * PAD + MARKS, (len(entity.name) + 2) * CHAR * 1.2 + 2 * PAD)


def _height(column: Sequence[Place], entities: Mapping[str, Entity]) -> float:
    heights = [_LANE_HEIGHT if place.lane >= 0 else Box(entities[place.name], 0, 0, 0).height for place in column]
    return sum(heights) + _GAP * max(0, len(heights) - 1)


def _points(line: Line, grid: _Grid) -> Iterator[Point]:
    left, right = grid.boxes[line.left], grid.boxes[line.right]
    y = left.row(line.left_row)
    yield left.x + left.width, y
    start, end = grid.ranks[line.left], grid.ranks[line.right]
    for rank in range(start, max(end, start + 1)):
        trunk = grid.trunk(rank, line.origin)
        yield trunk, y
        y = (
            grid.lanes.get(Place(line.origin, rank + 1), right.row(line.right_row))
            if rank + 1 < end
            else right.row(line.right_row)
        )
        yield trunk, y
    yield (right.x if end > start else right.x + right.width), y
