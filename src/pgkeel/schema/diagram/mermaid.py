"""Mermaid's entity-relationship diagram, which GitHub and GitLab draw by themselves.

The grammar: https://mermaid.js.org/syntax/entityRelationshipDiagram.html
"""

import re
from collections.abc import Iterator

from pgkeel.schema.diagram.graph import Diagram, Entity, Field, Relation

__all__ = ["as_mermaid"]


def as_mermaid(diagram: Diagram) -> str:
    """Return the text of an `erDiagram`; tables between two others stand in it with both their lines."""
    lines = [f"    {_line(relation)}" for relation in diagram.relations if relation.cardinality != "N:M"]
    boxes = [line for entity in diagram.entities for line in _box(entity)]
    return "\n".join(["erDiagram", *lines, *boxes]) + "\n"


def _line(relation: Relation) -> str:
    parent = "|o" if relation.is_optional else "||"
    child = "o|" if relation.cardinality == "1:1" else "o{"
    return f'{_name(relation.parent)} {parent}--{child} {_name(relation.child)} : "{", ".join(relation.columns)}"'


def _box(entity: Entity) -> Iterator[str]:
    yield f"    {_name(entity.name)} {{"
    for field in entity.fields:
        yield f"        {_word(field.type)} {_word(field.name)} {_keys(field)}".rstrip()
    yield "    }"


def _keys(field: Field) -> str:
    keys = (("PK", field.is_primary), ("FK", field.is_foreign), ("UK", field.is_unique and not field.is_primary))
    return ", ".join(key for key, holds in keys if holds)


def _name(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z_]\w*", text) else '"' + text.replace('"', "'") + '"'


def _word(text: str) -> str:
    """Return a word that the grammar takes: letters, digits, hyphens, underscores, brackets."""
    return re.sub(r"[^\w()\[\]-]", "_", text)
