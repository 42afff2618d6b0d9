"""A picture for READMEs: plain SVG, no script, no font to load, the same bytes every time."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape  # it only escapes what is written  # nosec B406

from pgkeel.schema.diagram.graph import Diagram, Field
from pgkeel.schema.diagram.layout import HEAD, MARKS, PAD, ROW, Box, Layout, Point, Route, layout

__all__ = ["as_svg"]

_STYLE = """text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1e293b }
.page { fill: #ffffff } .box { fill: #ffffff; stroke: #94a3b8 } .head { fill: #1e3a5f } .odd { fill: #f1f5f9 }
.title { fill: #ffffff; font-weight: 700; font-size: 13px } .type { fill: #64748b } .key { font-weight: 700 }
.mark { fill: #b45309; font-size: 10px } .joins { fill: #cbd5e1; font-size: 11px }
.line { fill: none; stroke: #64748b; stroke-width: 1.4 } .optional { stroke-dasharray: 5 3 }
.foot { fill: none; stroke: #334155; stroke-width: 1.4 } .hole { fill: #ffffff; stroke: #334155; stroke-width: 1.4 }
.count { fill: #334155; font-size: 11px; font-weight: 700 }"""
_RADIUS = 7


def as_svg(diagram: Diagram) -> str:
    """Return the picture: parents left, children right, crow's feet where there are many."""
    plan = layout(diagram)
    body = [*(part for route in plan.routes for part in _route(route)), *(part for box in plan.boxes for part in _box(box))]
    body += [part for route in plan.routes for part in _ends(route)]
    return "\n".join([*_head(plan, diagram), *body, "</svg>"]) + "\n"


def _head(plan: Layout, diagram: Diagram) -> Iterator[str]:
    size = f'width="{plan.width:g}" height="{plan.height:g}" viewBox="0 0 {plan.width:g} {plan.height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{escape(', '.join(entity.name for entity in diagram.entities))}</title>"
    yield f"<style>\n{_STYLE}\n</style>"
    yield '<rect class="page" width="100%" height="100%" rx="10"/>'


def _box(box: Box) -> Iterator[str]:
    entity, right = box.entity, box.x + box.width
    yield f'<rect class="box" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="7"/>'
    head = f"M{box.x:g},{box.y + HEAD:g} v{7 - HEAD} q0,-7 7,-7 h{box.width - 14:g} q7,0 7,7 v{HEAD - 7} z"
    yield f'<path class="head" d="{head}"/>'
    yield _text(box.x + PAD, box.y + 21, entity.name, "title")
    if entity.joins:
        yield _text(right - PAD, box.y + 21, f"{entity.joins[0]} N:M {entity.joins[1]}", "joins", anchor="end")
    for number, field in enumerate(entity.fields):
        yield from _row(box, box.y + HEAD + ROW * number, field, is_odd=number % 2 == 1)


def _row(box: Box, y: float, field: Field, *, is_odd: bool) -> Iterator[str]:
    if is_odd:
        yield f'<rect class="odd" x="{box.x + 1:g}" y="{y:g}" width="{box.width - 2:g}" height="{ROW}"/>'
    yield _text(box.x + PAD, y + 15, field.name, "key" if field.is_primary else "")
    yield _text(
        box.x + box.width - PAD - MARKS + 6, y + 15, f"{field.type}{'?' if field.is_nullable else ''}", "type", anchor="end"
    )
    marks = [word for word, holds in (("PK", field.is_primary), ("FK", field.is_foreign)) if holds]
    if not marks and field.is_unique:
        marks = ["UQ"]
    if marks:
        yield _text(box.x + box.width - 8, y + 15, "·".join(marks), "mark", anchor="end")


def _text(x: float, y: float, text: str, style: str, *, anchor: str = "") -> str:
    place = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{f" class={chr(34)}{style}{chr(34)}" if style else ""}{place}>{escape(text)}</text>'


def _route(route: Route) -> Iterator[str]:
    relation = route.line.relation
    said = f"{relation.parent} {relation.cardinality} {relation.child} ({', '.join(relation.columns)})"
    style = "line optional" if relation.is_optional else "line"
    yield f'<path class="{style}" d="{_path(route.points)}"><title>{escape(said)}</title></path>'


def _path(points: Sequence[Point]) -> str:
    """Return the way through the points, its corners rounded."""
    parts = [f"M{points[0][0]:g},{points[0][1]:g}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{a[0]:g},{a[1]:g} Q{corner[0]:g},{corner[1]:g} {b[0]:g},{b[1]:g}")
    return " ".join([*parts, f"L{points[-1][0]:g},{points[-1][1]:g}"])


def _towards(corner: Point, other: Point) -> Point:
    """Return the point at which the rounding of a corner begins; all ways are level or upright."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    step = min(_RADIUS, length / 2)
    return (corner[0] + dx / length * step, corner[1] + dy / length * step) if length else corner


def _ends(route: Route) -> Iterator[str]:
    relation = route.line.relation
    first, last = _end(route.points[0], route.points[1]), _end(route.points[-1], route.points[-2])
    parent, child = (first, last) if route.line.ends_at_child else (last, first)
    is_many = relation.cardinality == "1:N"
    yield _one(*parent)
    yield _count(*parent, "1")
    yield _many(*child) if is_many else _one(*child)
    yield _count(*child, "N" if is_many else "1")


def _end(at: Point, towards: Point) -> tuple[float, float, int]:
    """Return where a line meets a box and which way is out."""
    return at[0], at[1], 1 if towards[0] > at[0] else -1


def _count(x: float, y: float, out: int, text: str) -> str:
    return _text(x + 24 * out, y - 5, text, "count", anchor="middle")


def _one(x: float, y: float, out: int) -> str:
    return f'<path class="foot" d="M{x + 7 * out:g},{y - 5:g} v10 M{x + 11 * out:g},{y - 5:g} v10"/>'


def _many(x: float, y: float, out: int) -> str:
    foot = f"M{x:g},{y - 6:g} L{x + 11 * out:g},{y:g} L{x:g},{y + 6:g}"
    return f'<path class="foot" d="{foot}"/><circle class="hole" cx="{x + 15 * out:g}" cy="{y:g}" r="3.5"/>'
