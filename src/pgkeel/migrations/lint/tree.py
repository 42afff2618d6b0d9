"""Read PostgreSQL's parse trees: names, types, columns, constraints, constants."""

from collections.abc import Iterable, Iterator
from typing import Any

from pgkeel.migrations.lint.parser import Node

__all__ = [
    "column_constraints",
    "constant",
    "elements",
    "has_type",
    "names_of",
    "option",
    "relation_name",
    "strings",
    "type_name",
    "type_text",
    "unwrap",
    "walk",
]

_VALUES: dict[str, str | int | float | bool] = {"ival": 0, "fval": 0.0, "boolval": False, "sval": ""}  # the zero is left out


def unwrap(node: Node) -> tuple[str, Node]:
    """Return the kind and body of `{"Kind": {…}}`."""
    return next(iter(node.items()))


def relation_name(relation: Node | None) -> str:
    """Return `schema.table`, without the schema where it is `public` or not written; "" for none."""
    if not relation:
        return ""
    return _joined([relation.get("schemaname", ""), relation.get("relname", "")])


def names_of(objects: Iterable[Node]) -> Iterator[str]:
    """Yield the names in the `objects` of a DROP or the like."""
    for entry in objects:
        kind, body = unwrap(entry)
        if kind == "RangeVar":
            yield relation_name(body)
        elif kind == "String":
            yield body.get("sval", "")
        else:
            yield _joined(strings(body.get("items") or body.get("names") or body.get("objname") or ()))


def strings(nodes: Iterable[Node]) -> list[str]:
    """Return the texts of a list of String nodes."""
    return [body.get("sval", "") for kind, body in map(unwrap, nodes) if kind == "String"]


def _joined(parts: list[str]) -> str:
    kept = [part for part in parts if part]
    return ".".join(kept[1:] if len(kept) > 1 and kept[0] == "public" else kept)


def type_name(node: Node | None) -> str:
    """Return the name of a type as the catalog spells it: `int4`, `varchar`, `public.mood` without its `public`."""
    parts = strings((node or {}).get("names", ()))
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in {"pg_catalog", "public"} else parts)


def type_text(node: Node | None) -> str:
    """Return a type with its modifiers: `varchar(20)`, `numeric(10,2)`, `int4[]`."""
    modifiers = [str(constant(entry)) for entry in (node or {}).get("typmods", ())]
    return type_name(node) + (f"({','.join(modifiers)})" if modifiers else "") + "[]" * len((node or {}).get("arrayBounds", ()))


def has_type(column: Node, *names: str) -> bool:
    """Return whether a column has one of the types, alone or in an array."""
    return type_name(column.get("typeName")) in names


def elements(table: Node, kind: str) -> Iterator[Node]:
    """Yield the `ColumnDef` or `Constraint` entries of a CREATE TABLE."""
    return (body for found, body in map(unwrap, table.get("tableElts", ())) if found == kind)


def column_constraints(column: Node) -> Iterator[Node]:
    """Yield the constraints that stand in a column's definition."""
    return (body for kind, body in map(unwrap, column.get("constraints", ())) if kind == "Constraint")


def constant(node: Node | None) -> str | int | float | bool | None:
    """Return a constant's value, through casts and a sign, or None where it is none."""
    if not node:
        return None
    kind, body = unwrap(node)
    if kind == "TypeCast":
        return constant(body.get("arg"))
    for name, default in _VALUES.items() if kind == "A_Const" else ():
        if name in body:
            return type(default)(body[name].get(name, default))
    return None


def option(options: Iterable[Node], name: str) -> Node | None:
    """Return the body of a `DefElem` by name, or None."""
    return next((body for kind, body in map(unwrap, options) if kind == "DefElem" and body.get("defname") == name), None)


def walk(node: Any) -> Iterator[tuple[str, Node]]:  # noqa: ANN401 - a piece of JSON
    """Yield every `(kind, body)` below a tree, from the outside in."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict) and key[:1].isupper():
                yield key, value
            yield from walk(value)
    elif isinstance(node, list):
        for entry in node:
            yield from walk(entry)
