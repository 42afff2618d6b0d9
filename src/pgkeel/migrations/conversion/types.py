"""Types: enums that gain or lose words, domains, composite types."""

from collections.abc import Iterator

from pgkeel.migrations.conversion.columns import retype
from pgkeel.migrations.conversion.parts import Part
from pgkeel.migrations.conversion.phase import Phase, Step
from pgkeel.migrations.conversion.plan import Changes, is_renewed

__all__ = ["alter_type", "make_type"]


def make_type(part: Part, changes: Changes) -> Iterator[Step]:
    """Yield what makes the type."""
    if part.facts["kind"] != "c":
        yield Step(Phase.MAKE, part.made)
        return
    columns = [one for one in changes.right.parts.values() if one.kind == "column" and one.facts["relation"] == part.key[1]]
    columns.sort(key=lambda one: one.facts["position"])
    attributes = ", ".join(f"{one.facts['column']} {one.facts['type']}" for one in columns)
    yield Step(Phase.MAKE, f"{part.made} ({attributes})")


def alter_type(left: Part, right: Part, changes: Changes) -> Iterator[Step]:
    """Yield what turns one type into the other."""
    if right.facts["kind"] == "d":
        yield from _alter_domain(left, right)
    elif is_renewed(left, right):
        yield from _renew_enum(left, right, changes)
    else:
        yield from _add_words(left, right)


def _add_words(left: Part, right: Part) -> Iterator[Step]:
    labels, known = right.facts["quoted_labels"], set(left.facts["quoted_labels"])
    for place, label in enumerate(labels):
        if label in known:
            continue
        following = next((other for other in labels[place + 1 :] if other in known), None)
        where = f" BEFORE {following}" if following else ""
        yield Step(Phase.WORDS, f"ALTER TYPE {right.key[1]} ADD VALUE {label}{where}")
        known.add(label)


def _renew_enum(left: Part, right: Part, changes: Changes) -> Iterator[Step]:
    """Yield a new type beside the old one and the columns moved over: PostgreSQL cannot remove a word."""
    yield Step(Phase.MAKE, left.facts["renamed"])
    yield Step(Phase.MAKE, right.made)
    users = {edge.key for edge in changes.left.edges if edge.on == left.key and edge.key[0] == "column"}
    for key in sorted(users & changes.right.parts.keys() - changes.made):
        before, after = changes.left.parts[key].facts, changes.right.parts[key].facts
        if after["relation_kind"] not in "rpf" or before["type"] != after["type"]:
            continue
        array = "[]" if after["cast"].endswith("[]") else ""
        yield Step(Phase.MAKE, retype(after, default=before["default"], via=f"::text{array}"))
        if after["default"] and key not in changes.altered:
            yield Step(
                Phase.MAKE, f"ALTER TABLE {after['relation']} ALTER COLUMN {after['column']} SET DEFAULT {after['default']}"
            )
    yield Step(Phase.FINISH, left.facts["dropped_aside"])


def _alter_domain(left: Part, right: Part) -> Iterator[Step]:
    before, after, domain = left.facts, right.facts, f"ALTER DOMAIN {right.key[1]}"
    if before["default"] != after["default"]:
        yield Step(Phase.MAKE, f"{domain} SET DEFAULT {after['default']}" if after["default"] else f"{domain} DROP DEFAULT")
    if before["not_null"] != after["not_null"]:
        yield Step(Phase.MAKE, f"{domain} {'SET' if after['not_null'] else 'DROP'} NOT NULL")
