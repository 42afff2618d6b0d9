"""The SQL that turns one schema into another: read both as parts, decide, and write statements in an order that works."""

from collections.abc import Iterator

import msgspec

from pgkeel.migrations.conversion.parts import Edge, Inventory, Key
from pgkeel.migrations.conversion.phase import Phase, Step
from pgkeel.migrations.conversion.plan import Changes, changes_between, in_order
from pgkeel.migrations.conversion.read import read_inventory
from pgkeel.migrations.conversion.steps import alter, drop, is_inline, loosen, make, unsupported

__all__ = ["Conversion", "Inventory", "Key", "convert", "read_inventory"]


class Conversion(msgspec.Struct, frozen=True):
    """How one schema becomes another.

    Attributes:
        sql: The statements, in units that a migration file can hold; "" where nothing is to be done.
        unsupported: What it does not cover, with the reason.
    """

    sql: str
    unsupported: dict[Key, str]


def convert(left: Inventory, right: Inventory) -> Conversion:
    """Return the SQL that turns the left schema into the right one; applied, it leaves no difference but the unsupported."""
    changes = changes_between(left, right)
    refused = unsupported(changes)
    steps = [*_drops(changes, refused), *_makes(changes, refused)]
    return Conversion("\n\n".join(_units(steps)), refused)


def _drops(changes: Changes, refused: dict[Key, str]) -> Iterator[Step]:
    for key in sorted(changes.loosened):
        if changes.left.parts[key].facts["default"]:
            yield loosen(changes.left.parts[key])
    lifted = _lifted(changes.left, changes.gone - changes.dropped)
    for key in reversed(in_order(changes.dropped, lifted)):
        if key not in refused:
            yield from drop(changes.left.parts[key], changes)


def _makes(changes: Changes, refused: dict[Key, str]) -> Iterator[Step]:
    inside = {key for key in changes.made if key[0] == "column" or is_inline(changes.right.parts[key])}
    lifted = _lifted(changes.right, frozenset(inside), only_into=changes.made)
    places = {key: part.facts["position"] for key, part in changes.right.parts.items() if key[0] == "column"}
    reached: dict[Key, Phase] = {}
    for key in in_order((changes.made | changes.altered) - refused.keys(), lifted, places):
        part = changes.right.parts[key]
        floor = max((reached.get(edge.on, Phase.WORDS) for edge in lifted.edges if edge.key == key), default=Phase.WORDS)
        steps = list(make(part, changes) if key in changes.made else alter(part, changes))
        moved = [
            msgspec.structs.replace(step, phase=max(step.phase, floor)) if step.phase is Phase.MAKE else step for step in steps
        ]
        reached[key] = max((step.phase for step in moved if step.phase in {Phase.MAKE, Phase.ATTACH}), default=Phase.WORDS)
        yield from moved


def _lifted(inventory: Inventory, keys: frozenset[Key], only_into: frozenset[Key] | None = None) -> Inventory:
    """Return the inventory with the edges of what comes and goes with its table moved to that table."""
    owner = {
        edge.key: edge.on
        for edge in inventory.edges
        if edge.key in keys
        and edge.is_bound
        and edge.on[0] in {"table", "view", "type"}
        and (only_into is None or edge.on in only_into)
    }
    edges = (Edge(owner.get(edge.key, edge.key), owner.get(edge.on, edge.on), edge.is_bound) for edge in inventory.edges)
    kept = tuple(sorted({edge for edge in edges if edge.key != edge.on}))
    return Inventory(inventory.parts, kept, inventory.gives_public_execute)


def _units(steps: list[Step]) -> Iterator[str]:
    """Yield the statements grouped: one transaction for those that may share one, none for those that cannot have one."""
    block: list[str] = []
    for step in sorted(steps, key=lambda step: step.phase):
        if (step.phase.is_alone or step.phase.is_single) and block:
            yield _block(block)
            block = []
        if step.phase.is_alone:
            yield f"{step.text};"
        elif step.phase.is_single:
            yield _block([step.text])
        else:
            block.append(step.text)
    if block:
        yield _block(block)


def _block(texts: list[str]) -> str:
    early = (
        ["SET LOCAL check_function_bodies = off"] if any(" FUNCTION " in text or " PROCEDURE " in text for text in texts) else []
    )
    return "\n".join(["BEGIN;", *(f"{text.rstrip().rstrip(';')};" for text in (*early, *texts)), "COMMIT;"])
