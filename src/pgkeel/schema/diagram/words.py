"""The relationships in the design's own notation: `users ──1:N──> posts`."""

from pgkeel.schema.diagram.graph import Diagram, Entity, Field, Relation

__all__ = ["as_text"]


def as_text(diagram: Diagram) -> str:
    """Return every table with its columns, then the relationships with their cardinality."""
    tables = "\n\n".join(_table(entity) for entity in diagram.entities)
    return f"{tables}\n\nRelationships\n" + "\n".join(f"  {_line(relation)}" for relation in diagram.relations)


def _table(entity: Entity) -> str:
    width = max((len(field.name) for field in entity.fields), default=0)
    kinds = max((len(field.type) for field in entity.fields), default=0)
    lines = [f"  {field.name:<{width}}  {field.type:<{kinds}}  {_marks(field)}".rstrip() for field in entity.fields]
    return "\n".join([entity.name, *lines])


def _marks(field: Field) -> str:
    marks = (
        ("primary key", field.is_primary),
        ("references", field.is_foreign),
        ("unique", field.is_unique and not field.is_primary),
    )
    nullable = ["null"] if field.is_nullable else []
    return ", ".join([word for word, holds in marks if holds] + nullable)


def _line(relation: Relation) -> str:
    how = f"via {relation.via}" if relation.via else ", ".join(relation.columns)
    return f"{relation.parent} ──{relation.cardinality}──> {relation.child} ({how}{', optional' if relation.is_optional else ''})"
