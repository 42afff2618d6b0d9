"""Columns: as they stand in CREATE TABLE, added, and changed one property at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

from pgkeel.migrations.conversion.parts import Part
from pgkeel.migrations.conversion.phase import Phase, Step

__all__ = ["alter_column", "column_text", "make_column", "retype"]

Facts = Mapping[str, Any]


def column_text(part: Part) -> str:
    """Return the column as CREATE TABLE and ADD COLUMN spell it."""
    facts = part.facts
    words = [facts["column"], facts["type"], facts["generated"] or ""]
    words.append(f"DEFAULT {facts['default']}" if facts["default"] else "")
    words.append(f"GENERATED {facts['identity']} AS IDENTITY" if facts["identity"] else "")
    words.append("NOT NULL" if facts["not_null"] else "")
    return " ".join(word for word in words if word)


def make_column(part: Part) -> Iterator[Step]:
    """Yield what adds the column to its table or composite type."""
    facts = part.facts
    if facts["relation_kind"] == "c":
        yield Step(Phase.MAKE, f"ALTER TYPE {facts['relation']} ADD ATTRIBUTE {facts['column']} {facts['type']}")
    else:
        yield Step(Phase.MAKE, f"ALTER TABLE {facts['relation']} ADD COLUMN {column_text(part)}")


def alter_column(left: Part, right: Part, *, is_loosened: bool) -> Iterator[Step]:
    """Yield what turns one column into the other; a loosened one has lost its default already."""
    before, after = left.facts, right.facts
    if after["relation_kind"] == "c":
        name = f"ALTER TYPE {after['relation']} ALTER ATTRIBUTE {after['column']}"
        yield Step(Phase.MAKE, f"{name} TYPE {after['type']} CASCADE")
        return
    yield from (
        Step(Phase.MAKE, f"ALTER TABLE {after['relation']} ALTER COLUMN {after['column']} {text}")
        for text in _identity_off(before, after)
    )
    default = None if is_loosened else before["default"]
    if before["type"] != after["type"]:
        yield Step(Phase.MAKE, retype(after, default=default))
        default = None
    yield from _set_default(after, default)
    yield from _set_identity(before, after)
    yield from _set_not_null(before, after)


def retype(after: Facts, *, default: str | None, via: str = "") -> str:
    """Return the statement that gives a column its wanted type; its default is taken off, because it may not follow."""
    column = f"ALTER COLUMN {after['column']}"
    off = f"{column} DROP DEFAULT, " if default else ""
    return f"ALTER TABLE {after['relation']} {off}{column} TYPE {after['type']} USING {after['column']}{via}::{after['cast']}"


def _set_default(after: Facts, default: str | None) -> Iterator[Step]:
    column = f"ALTER TABLE {after['relation']} ALTER COLUMN {after['column']}"
    if after["default"] and after["default"] != default:
        yield Step(Phase.MAKE, f"{column} SET DEFAULT {after['default']}")
    elif default and not after["default"]:
        yield Step(Phase.MAKE, f"{column} DROP DEFAULT")


def _identity_off(before: Facts, after: Facts) -> Iterator[str]:
    if before["identity"] and not after["identity"]:
        yield "DROP IDENTITY"


def _set_identity(before: Facts, after: Facts) -> Iterator[Step]:
    column = f"ALTER TABLE {after['relation']} ALTER COLUMN {after['column']}"
    if not after["identity"] or before["identity"] == after["identity"]:
        return
    if before["identity"]:
        yield Step(Phase.MAKE, f"{column} SET GENERATED {after['identity']}")
        return
    if not before["not_null"]:
        yield Step(Phase.MAKE, f"{column} SET NOT NULL")
    yield Step(Phase.MAKE, f"{column} ADD GENERATED {after['identity']} AS IDENTITY")


def _set_not_null(before: Facts, after: Facts) -> Iterator[Step]:
    """Yield SET NOT NULL in steps: the table is read while writers go on (PostgreSQL manual, ALTER TABLE)."""
    table, column, check = f"ALTER TABLE {after['relation']}", after["column"], after["check"]
    if before["not_null"] and not after["not_null"]:
        yield Step(Phase.MAKE, f"{table} ALTER COLUMN {column} DROP NOT NULL")
    if after["not_null"] and not before["not_null"] and not after["identity"]:
        yield Step(Phase.MAKE, f"{table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID")
        yield Step(Phase.VALIDATE, f"{table} VALIDATE CONSTRAINT {check}")
        yield Step(Phase.FINISH, f"{table} ALTER COLUMN {column} SET NOT NULL")
        yield Step(Phase.FINISH, f"{table} DROP CONSTRAINT {check}")
