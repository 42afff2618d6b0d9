"""What a write touches, and who the writer is."""

from collections.abc import Iterable

import msgspec

from pgkeel.cache.names import Names, Tag

__all__ = ["Touched", "keys_of"]


class Touched(msgspec.Struct, frozen=True):
    """Rows, or all rows of a table; each touches its table's tag too.

    Attributes:
        tag: The table's tag.
        row: Name of the row, or b"".
        generation: Name of the version of all rows, or b"".
    """

    tag: Tag
    row: bytes = b""
    generation: bytes = b""


def keys_of(touched: Iterable[Touched | Tag], names: Names) -> tuple[list[bytes], list[bytes]]:
    """Return the names of the rows and of the tags that are to be marked, each once."""
    rows: dict[bytes, None] = {}
    tags: dict[bytes, None] = {}
    for one in touched:
        if isinstance(one, Touched):
            if one.row:
                rows[one.row] = None
            if one.generation:
                tags[one.generation] = None
            tags[names.tag(one.tag)] = None
        else:
            tags[names.tag(one)] = None
    return list(rows), list(tags)
