"""What a schema is made of: parts that can be made and dropped one by one, in the server's own SQL, and what rests on what."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pgkeel.postgres.catalog import CatalogObject, Snapshot

__all__ = ["Edge", "Inventory", "Key", "Part"]

Key = tuple[str, str]


class Part(msgspec.Struct, frozen=True):
    """One object with the SQL around it.

    Attributes:
        key: Kind and name, as `postgres.catalog` gives them.
        definition: As `postgres.catalog` gives it: two parts are equal when this is.
        made: The statement that makes it, or its beginning; "" where it takes more than one.
        dropped: The statement that drops it.
        facts: What else its kind needs.
    """

    key: Key
    definition: str
    made: str
    dropped: str
    facts: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.key[0]


class Edge(msgspec.Struct, frozen=True, order=True):
    """One object rests on another.

    Attributes:
        key: What rests.
        on: On what.
        is_bound: Whether it goes when the other goes, without being asked.
    """

    key: Key
    on: Key
    is_bound: bool


class Inventory(msgspec.Struct, frozen=True):
    """All parts of some schemas of a database.

    Attributes:
        parts: By kind and name.
        edges: What rests on what.
        gives_public_execute: Whether everybody may execute a function that is made in this database.
    """

    parts: Mapping[Key, Part]
    edges: tuple[Edge, ...]
    gives_public_execute: bool = True

    def bound_to(self, keys: Iterable[Key]) -> set[Key]:
        """Return the keys with all that goes when they go."""
        gone = set(keys)
        while more := {edge.key for edge in self.edges if edge.is_bound and edge.on in gone} - gone:
            gone |= more
        return gone

    def without(self, keys: Iterable[Key]) -> "Inventory":
        """Return it as if some parts, and all that is bound to them, were not there."""
        gone = self.bound_to(keys)
        kept = {key: part for key, part in self.parts.items() if key not in gone}
        edges = tuple(edge for edge in self.edges if edge.key in kept and edge.on in kept)
        return Inventory(kept, edges, self.gives_public_execute)

    @property
    def snapshot(self) -> Snapshot:
        """The same as a snapshot."""
        return Snapshot(tuple(CatalogObject(*key, self.parts[key].definition) for key in sorted(self.parts)))
