"""Decide what must go, what must be made and what can be changed in place, so that one schema becomes another."""

from collections.abc import Iterable, Iterator

import msgspec

from pgkeel.migrations.conversion.parts import Edge, Inventory, Key, Part

__all__ = ["Changes", "changes_between", "in_order", "is_renewed"]

_ALTERED = frozenset({"table", "column", "function", "type", "sequence", "grant", "comment", "constraint", "index"})
_HELD_BY_USE = frozenset({"view", "trigger", "policy"})
_RANKS = (
    *("extension", "type", "sequence", "function", "table", "partition", "column", "constraint", "index"),
    *("view", "trigger", "policy", "grant", "comment"),
)


class Changes(msgspec.Struct, frozen=True):
    """What has to happen, without an order.

    Attributes:
        left: What is there.
        right: What is wanted.
        dropped: Keys that need a DROP; what is bound to one of them is not among them.
        gone: Keys that are not there any more once the drops ran.
        made: Keys that need a CREATE: new ones, and gone ones that are still wanted.
        altered: Keys that are changed in place.
        loosened: Columns that stay, but whose default must be taken off while something goes.
    """

    left: Inventory
    right: Inventory
    dropped: frozenset[Key]
    gone: frozenset[Key]
    made: frozenset[Key]
    altered: frozenset[Key]
    loosened: frozenset[Key]


def changes_between(left: Inventory, right: Inventory) -> Changes:
    """Return what turns the left schema into the right one."""
    differing = {key for key, part in left.parts.items() if key in right.parts and right.parts[key].definition != part.definition}
    replaced = {key for key in differing if _must_be_replaced(left.parts[key], right.parts[key])}
    replaced |= _views_of_changed_columns(left, differing)
    doomed = {key for key in left.parts if key not in right.parts} | replaced
    gone, asked = _closure(left, doomed, {key for key in differing if _is_retyped(left, right, key)})
    loosened = {edge.key for edge in left.edges if edge.on in gone and _only_by_default(left, edge)} - gone
    bound = {edge.key for edge in left.edges if edge.is_bound and edge.on in gone}
    foreign = {key for key in asked if key[0] == "constraint" and left.parts[key].facts["type"] == "f"}
    dropped = {key for key in gone if key not in bound or key in foreign}
    made = {key for key in right.parts if key not in left.parts or key in gone}
    altered = (differing | loosened) - gone
    return Changes(left, right, *map(frozenset, (dropped, gone, made, altered, loosened)))


def in_order(keys: Iterable[Key], inventory: Inventory, places: dict[Key, int] | None = None) -> list[Key]:
    """Return keys so that each stands behind what it rests on; where nothing says otherwise, by kind and name."""
    wanted = sorted(keys, key=lambda key: (_RANKS.index(key[0]), (places or {}).get(key, 0), key))
    rests: dict[Key, list[Key]] = {}
    for edge in inventory.edges:
        if not _is_ownership(edge):
            rests.setdefault(edge.key, []).append(edge.on)
    order: dict[Key, None] = {}
    for key in wanted:
        _visit(key, rests, set(wanted), order, set())
    return list(order)


def _visit(key: Key, rests: dict[Key, list[Key]], wanted: set[Key], order: dict[Key, None], path: set[Key]) -> None:
    if key in order or key in path:
        return
    for on in rests.get(key, ()):
        _visit(on, rests, wanted, order, path | {key})
    if key in wanted:
        order[key] = None


def _is_ownership(edge: Edge) -> bool:
    return edge.key[0] == "sequence" and edge.on[0] in {"column", "table"}


def _must_be_replaced(left: Part, right: Part) -> bool:
    if left.kind not in _ALTERED:
        return True
    if left.kind == "constraint":
        return not (left.definition.startswith(right.definition) and not left.facts["is_valid"])
    if left.kind == "function":
        return bool(left.facts["result"] != right.facts["result"])
    if left.kind == "column":
        return bool(left.facts["generated"] != right.facts["generated"])
    return False


def _views_of_changed_columns(left: Inventory, differing: set[Key]) -> set[Key]:
    return {edge.on for edge in left.edges if edge.key in differing and edge.key[0] == "column" and edge.on[0] == "view"}


def _is_retyped(left: Inventory, right: Inventory, key: Key) -> bool:
    if key[0] == "column":
        return bool(left.parts[key].facts["type"] != right.parts[key].facts["type"])
    return key[0] == "type" and left.parts[key].facts["kind"] == "e" and is_renewed(left.parts[key], right.parts[key])


def is_renewed(left: Part, right: Part) -> bool:
    """Return whether an enum must be made anew because words went away or changed their order."""
    kept = [label for label in right.facts["labels"] if label in left.facts["labels"]]
    return bool(kept != left.facts["labels"])


def _is_generated(part: Part) -> bool:
    return part.facts["generated"] is not None


def _closure(left: Inventory, doomed: set[Key], retyped: set[Key]) -> tuple[set[Key], set[Key]]:
    """Return what goes in the end, and the part of it that has to be asked to go."""
    used = retyped | {edge.key for edge in left.edges if edge.on in retyped and edge.key[0] == "column"}
    asked = {edge.key for edge in left.edges if edge.on in used and _is_held(left, edge)}
    gone = left.bound_to(doomed | asked)
    while more := set(_held_by(left, gone)) - asked:
        asked |= more
        gone = left.bound_to(gone | more)
    return gone, asked


def _is_held(left: Inventory, edge: Edge) -> bool:
    if edge.key[0] == "column" and edge.on[0] == "column":
        return _is_generated(left.parts[edge.key])
    return edge.key[0] in _HELD_BY_USE or (edge.key[0] == "function" and edge.on[0] == "type")


def _held_by(left: Inventory, gone: set[Key]) -> Iterator[Key]:
    for edge in left.edges:
        if not edge.is_bound and edge.on in gone and edge.key in left.parts and not _only_by_default(left, edge):
            yield edge.key


def _only_by_default(left: Inventory, edge: Edge) -> bool:
    """Return whether a column rests on something through its default, which can be taken off."""
    return edge.key[0] == "column" and not edge.is_bound and not _is_generated(left.parts[edge.key])
