"""The statements that make, change and drop one part, each in the form that stops the fewest other sessions."""

from collections.abc import Callable, Iterator

from pgkeel.migrations.conversion.columns import alter_column, column_text, make_column
from pgkeel.migrations.conversion.grants import change_grant
from pgkeel.migrations.conversion.parts import Key, Part
from pgkeel.migrations.conversion.phase import Phase, Step
from pgkeel.migrations.conversion.plan import Changes
from pgkeel.migrations.conversion.types import alter_type, make_type

__all__ = ["alter", "drop", "loosen", "make", "unsupported"]

_LATE = frozenset({"type", "sequence", "function", "extension"})


def unsupported(changes: Changes) -> dict[Key, str]:
    """Return what is not generated, and why."""
    found: dict[Key, str] = {}
    for key in changes.made | changes.altered:
        part = changes.right.parts[key]
        before = changes.left.parts[key] if key in changes.altered else None
        reason = _reason(part, before)
        if reason:
            found[key] = reason
    found |= {
        key: "its bounds changed: making it anew would lose its rows"
        for key in changes.dropped & changes.made
        if key[0] == "partition"
    }
    return found


def _reason(part: Part, before: Part | None) -> str:
    facts = part.facts
    if part.kind == "table" and facts["kind"].startswith("f"):
        return "a foreign table"
    if part.kind == "type" and not part.made:
        return "a range type"
    if before is None:
        return ""
    if part.kind in {"table", "type"} and facts["kind"] != before.facts["kind"]:
        return "it becomes another kind of object"
    if part.kind == "type" and facts["base"] != before.facts["base"]:
        return "a domain cannot change its base type"
    return (
        "the replica identity is an index" if facts.get("replica_identity") == "i" != before.facts.get("replica_identity") else ""
    )


def loosen(part: Part) -> Step:
    """Return what takes a column's default off."""
    return Step(Phase.DROP, f"ALTER TABLE {part.facts['relation']} ALTER COLUMN {part.facts['column']} DROP DEFAULT")


def drop(part: Part, changes: Changes) -> Iterator[Step]:
    """Yield what drops the part; an index goes beside the writers, a function when nothing uses it any more."""
    if part.kind == "column" and part.facts["relation_kind"] not in "rpfc":
        return
    if part.kind == "index" and not part.facts["is_partitioned"] and part.key not in changes.made:
        yield Step(Phase.UNBUILD, part.dropped.replace("DROP INDEX", "DROP INDEX CONCURRENTLY", 1))
    elif part.kind in _LATE and part.key not in changes.made and not _gives_way(part, changes):
        yield Step(Phase.LAST, part.dropped)
    else:
        yield Step(Phase.DROP, part.dropped)


def _gives_way(part: Part, changes: Changes) -> bool:
    """Return whether a function of the same name is made: with the same argument types, both cannot be there."""
    name = part.key[1].partition("(")[0]
    return part.kind == "function" and any(key[0] == "function" and key[1].partition("(")[0] == name for key in changes.made)


def make(part: Part, changes: Changes) -> Iterator[Step]:
    """Yield what makes the part."""
    yield from _MAKERS.get(part.kind, _make_plainly)(part, changes)


def alter(part: Part, changes: Changes) -> Iterator[Step]:
    """Yield what turns the part that is there into the wanted one."""
    yield from _ALTERERS[part.kind](changes.left.parts[part.key], part, changes)


def _make_plainly(part: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, part.made)


def _make_table(part: Part, changes: Changes) -> Iterator[Step]:
    inside = [changes.right.parts[edge.key] for edge in changes.right.edges if edge.on == part.key and edge.is_bound]
    columns = sorted({one.key: one for one in inside if one.kind == "column"}.values(), key=lambda one: one.facts["position"])
    rules = sorted({one.key: one for one in _constraints_inside(part, changes)}.values(), key=lambda one: one.key)
    lines = [*map(column_text, columns), *(rule.facts["inline"] for rule in rules)]
    body = ",\n".join(f"    {line}" for line in lines)
    yield Step(Phase.MAKE, f"{part.made} (\n{body}\n){part.facts['suffix']}")
    yield from _table_properties(None, part)


def _constraints_inside(table: Part, changes: Changes) -> Iterator[Part]:
    for key in changes.made:
        part = changes.right.parts[key]
        if is_inline(part) and part.facts["table"] == table.key[1]:
            yield part


def is_inline(part: Part) -> bool:
    """Return whether a constraint stands inside the CREATE of its table when that is made."""
    return part.kind == "constraint" and part.facts["type"] != "f" and bool(part.facts["table"]) and bool(part.facts["is_valid"])


def _alter_table(left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield from _table_properties(left, right)


def _table_properties(left: Part | None, right: Part) -> Iterator[Step]:
    table, after = f"ALTER TABLE {right.key[1]}", right.facts
    plain = {"row_security": False, "forced": False, "replica_identity": "d", "options": after["options"], "persistence": None}
    before = left.facts if left else plain
    if before["row_security"] != after["row_security"]:
        yield Step(Phase.MAKE, f"{table} {'ENABLE' if after['row_security'] else 'DISABLE'} ROW LEVEL SECURITY")
    if before["forced"] != after["forced"]:
        yield Step(Phase.MAKE, f"{table} {'FORCE' if after['forced'] else 'NO FORCE'} ROW LEVEL SECURITY")
    if before["replica_identity"] != after["replica_identity"] and after["replica_identity"] in "dfn":
        word = {"d": "DEFAULT", "f": "FULL", "n": "NOTHING"}[after["replica_identity"]]
        yield Step(Phase.MAKE, f"{table} REPLICA IDENTITY {word}")
    if left and before["persistence"] != after["persistence"]:
        yield Step(Phase.MAKE, f"{table} SET {'UNLOGGED' if after['persistence'] == 'u' else 'LOGGED'}")
    names = sorted({option.partition("=")[0] for option in before["options"]} - {o.partition("=")[0] for o in after["options"]})
    if names:
        yield Step(Phase.MAKE, f"{table} RESET ({', '.join(names)})")
    if after["options"] != before["options"] and after["options"]:
        yield Step(Phase.MAKE, f"{table} SET ({', '.join(after['options'])})")


def _make_column(part: Part, changes: Changes) -> Iterator[Step]:
    owners = {("table", part.facts["relation"]), ("type", part.facts["relation"])}
    if part.facts["relation_kind"] in "rpfc" and not owners & changes.made:
        yield from make_column(part)


def _alter_column(left: Part, right: Part, changes: Changes) -> Iterator[Step]:
    if right.facts["relation_kind"] in "rpfc":
        yield from alter_column(left, right, is_loosened=left.key in changes.loosened)


def _is_new(key: Key, changes: Changes) -> bool:
    return key in changes.made


def _make_constraint(part: Part, changes: Changes) -> Iterator[Step]:
    facts = part.facts
    is_new = _is_new(("table", facts["table"]), changes)
    if is_new and is_inline(part):
        return
    if is_new or facts["is_partitioned"] or not facts["table"] or facts["type"] == "x":
        yield Step(Phase.MAKE, part.made)
    elif facts["index"]:
        yield Step(Phase.BUILD, _beside_writers(facts["index"]))
        yield Step(Phase.ATTACH, facts["using_index"])
    elif not facts["is_valid"]:
        yield Step(Phase.ATTACH, part.made)
    else:
        yield Step(Phase.ATTACH, f"{part.made} NOT VALID")
        yield Step(Phase.VALIDATE, facts["validated"])


def _alter_constraint(_left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.VALIDATE, right.facts["validated"])


def _beside_writers(definition: str) -> str:
    return definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)


def _is_of_constraint(part: Part, changes: Changes) -> bool:
    return any(edge.key == part.key and edge.on[0] == "constraint" and edge.is_bound for edge in changes.right.edges)


def _make_index(part: Part, changes: Changes) -> Iterator[Step]:
    if _is_of_constraint(part, changes):
        return
    table = part.facts["table"]
    if part.facts["is_partitioned"] or _is_new(("table", table), changes) or _is_new(("view", table), changes):
        yield Step(Phase.MAKE, part.made)
    else:
        yield Step(Phase.BUILD, _beside_writers(part.made))


def _alter_index(left: Part, right: Part, changes: Changes) -> Iterator[Step]:
    """Yield the new index built before the old one goes, so that queries are never without one."""
    if _is_of_constraint(right, changes):
        return
    if right.facts["is_partitioned"] or left.facts["is_partitioned"]:
        yield Step(Phase.DROP, left.dropped)
        yield Step(Phase.MAKE, right.made)
        return
    yield Step(Phase.MAKE, left.facts["renamed"])
    yield Step(Phase.BUILD, _beside_writers(right.made))
    yield Step(Phase.UNBUILD, left.facts["dropped_aside"])


def _make_trigger(part: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, part.made)
    if part.facts["state"]:
        yield Step(Phase.MAKE, part.facts["state"])


def _make_function(part: Part, changes: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, part.made)
    is_public = ("grant", f"{part.key[1]} to public") in changes.right.parts
    if changes.left.gives_public_execute and not is_public and part.key in changes.made:
        yield Step(Phase.MAKE, f"REVOKE EXECUTE ON ROUTINE {part.key[1]} FROM PUBLIC")


def _alter_function(_left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, right.made)


def _make_partition(part: Part, changes: Changes) -> Iterator[Step]:
    parent = next(
        (edge.on for edge in changes.right.edges if edge.key == part.key and edge.on[0] in {"table", "partition"}), None
    )
    if parent in changes.made or not part.facts["is_leaf"]:
        yield Step(Phase.MAKE, part.made)
    else:
        yield Step(Phase.MAKE, part.facts["like"])
        yield Step(Phase.MAKE, part.facts["attach"])


def _make_sequence(part: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, part.made)
    if part.facts["owned"]:
        yield Step(Phase.FINISH, part.facts["owned"])


def _alter_sequence(_left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.MAKE, right.facts["altered"])


def _make_grant(part: Part, changes: Changes) -> Iterator[Step]:
    is_given = changes.left.gives_public_execute and part.facts["grantee"] == "PUBLIC" and part.definition == "EXECUTE"
    name = part.key[1].removesuffix(" to public")
    if not (is_given and ("function", name) in changes.made):
        yield Step(Phase.MAKE, part.made)


def _alter_grant(left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield from (Step(Phase.MAKE, text) for text in change_grant(left, right))


def _make_comment(part: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.FINISH, part.made)


def _alter_comment(_left: Part, right: Part, _: Changes) -> Iterator[Step]:
    yield Step(Phase.FINISH, right.made)


_MAKERS: dict[str, Callable[[Part, Changes], Iterator[Step]]] = {
    "table": _make_table,
    "column": _make_column,
    "constraint": _make_constraint,
    "index": _make_index,
    "trigger": _make_trigger,
    "function": _make_function,
    "partition": _make_partition,
    "sequence": _make_sequence,
    "grant": _make_grant,
    "comment": _make_comment,
    "type": make_type,
}
_ALTERERS: dict[str, Callable[[Part, Part, Changes], Iterator[Step]]] = {
    "table": _alter_table,
    "column": _alter_column,
    "constraint": _alter_constraint,
    "index": _alter_index,
    "function": _alter_function,
    "sequence": _alter_sequence,
    "grant": _alter_grant,
    "comment": _alter_comment,
    "type": alter_type,
}
