"""Graphviz: boxes as HTML-like tables, crow's feet as arrow heads."""

from html import escape

from pgkeel.schema.diagram.graph import Diagram, Entity, Field, Relation

__all__ = ["as_dot"]

_HEAD = """digraph schema {
    graph [rankdir=LR, nodesep=0.4, ranksep=1.2];
    node [shape=plain, fontname="Helvetica", fontsize=11];
    edge [dir=both, color="#64748b", arrowsize=0.9];
"""


def as_dot(diagram: Diagram) -> str:
    """Return a digraph; `dot -Tsvg` draws it."""
    boxes = "".join(_box(entity) for entity in diagram.entities)
    lines = "".join(_line(relation) for relation in diagram.relations if relation.cardinality != "N:M")
    return f"{_HEAD}{boxes}{lines}}}\n"


def _box(entity: Entity) -> str:
    head = f'<tr><td colspan="2" bgcolor="#1e3a5f"><font color="white"><b>{escape(entity.name)}</b></font></td></tr>'
    rows = "".join(_row(field) for field in entity.fields)
    table = f'<table border="0" cellborder="1" cellspacing="0" cellpadding="4" color="#94a3b8">{head}{rows}</table>'
    return f"    {_quoted(entity.name)} [label=<{table}>];\n"


def _row(field: Field) -> str:
    name = f"<b>{escape(field.name)}</b>" if field.is_primary else escape(field.name)
    cell = f'<td port="{escape(field.name, quote=True)}" align="left">{name}</td>'
    return f'<tr>{cell}<td align="left"><font color="#64748b">{escape(field.type)}</font></td></tr>'


def _line(relation: Relation) -> str:
    head = "teeodot" if relation.cardinality == "1:1" else "crowodot"
    tail = "teeodot" if relation.is_optional else "teetee"
    ends = f"{_quoted(relation.parent)}:{_quoted(relation.parent_columns[0])} -> "
    ends += f"{_quoted(relation.child)}:{_quoted(relation.columns[0])}"
    return f"    {ends} [arrowhead={head}, arrowtail={tail}];\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
