"""Write the migration that brings a schema to a wanted one, and leave alone what is not its business."""

from collections.abc import Iterator

import msgspec

from pgkeel.migrations.conversion import Inventory, Key, convert
from pgkeel.migrations.grammar import parse
from pgkeel.postgres.catalog import Difference, differences

__all__ = ["Proposal", "propose"]

# what models seldom declare: where they declare none at all, what is there is somebody else's
_OPTIONAL = frozenset({"function", "trigger", "view", "policy", "extension", "grant", "type", "sequence", "comment"})


class Proposal(msgspec.Struct, frozen=True):
    """How one schema becomes another, as a migration.

    Attributes:
        differences: What differs, left what is there.
        kept: What is only there and stays: partitions made at run time, and kinds that the wanted side does not declare.
        unsupported: Object → why no SQL is written for it; change it by hand.
        notes: What to look at before it runs on a table with rows.
        text: The migration file; "" where nothing is to be done.
    """

    differences: tuple[Difference, ...]
    kept: tuple[str, ...]
    unsupported: dict[str, str]
    notes: tuple[str, ...]
    text: str

    @property
    def is_empty(self) -> bool:
        """Whether the two agree."""
        return not self.differences


def propose(left: Inventory, right: Inventory, *, is_partial: bool = False) -> Proposal:
    """Return the migration that turns the left schema into the right one, with a Down that turns it back.

    Args:
        left: What is there.
        right: What is wanted.
        is_partial: The wanted side declares only some kinds of objects, as models do: nothing of the other kinds is dropped.
    """
    kept = _kept(left, right, is_partial=is_partial)
    mine = left.without(kept)
    found = differences(mine.snapshot, right.snapshot)
    up, down = convert(mine, right), convert(right, mine)
    unsupported = {_title(key): reason for key, reason in {**down.unsupported, **up.unsupported}.items()}
    shown = tuple(sorted(_title(key) for key in kept))
    if not up.sql:
        return Proposal(found, shown, unsupported, (), "")
    text = _file(up.sql, down.sql, unsupported)
    parse(text, "20000101000000_check.sql")
    return Proposal(found, shown, unsupported, tuple(_notes(mine, right)), text)


def _title(key: Key) -> str:
    return " ".join(key)


def _kept(left: Inventory, right: Inventory, *, is_partial: bool) -> set[Key]:
    """Return what is only there and must stay.

    A partition that only the database has was made at run time and holds rows; a parent that still has one stays with it.
    """
    alone = left.parts.keys() - right.parts.keys()
    kept = {key for key in alone if key[0] == "partition"}
    kept |= {edge.on for edge in left.edges if edge.key in kept and edge.on in alone and edge.on[0] == "table"}
    if is_partial:
        declared = {kind for kind, _ in right.parts}
        kept |= {key for key in alone if key[0] in _OPTIONAL - declared}
    return kept


def _file(up: str, down: str, unsupported: dict[str, str]) -> str:
    remarks = "".join(f"-- not written here: {name} ({reason})\n" for name, reason in sorted(unsupported.items()))
    below = down or "BEGIN;\n\nCOMMIT;"
    return f"{remarks}-- Up Migration\n{up}\n\n-- Down Migration\n{below}\n"


def _notes(left: Inventory, right: Inventory) -> Iterator[str]:
    for key in sorted(right.parts):
        part, before = right.parts[key], left.parts.get(key)
        if key[0] != "column" or ("table", part.facts["relation"]) not in left.parts:
            continue
        if (
            before is None
            and part.facts["not_null"]
            and not (part.facts["default"] or part.facts["identity"] or part.facts["generated"])
        ):
            yield f"{key[1]} is NOT NULL without a default: adding it fails where the table has rows"
        if before is not None and before.facts["type"] != part.facts["type"]:
            yield f"{key[1]} changes its type: unless it only gets wider, the table is rewritten under its strongest lock"
    for key in sorted(left.parts.keys() - right.parts.keys()):
        if key[0] == "table" or (key[0] == "column" and ("table", left.parts[key].facts["relation"]) in right.parts):
            yield f"{_title(key)} is dropped with what is in it"
