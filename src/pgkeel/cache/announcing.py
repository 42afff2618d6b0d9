"""What writes say to the cache server: who is at work on what, and that nothing of before must be served again.

A mark lies beside a tag: who → the rows of that table that are meant. Plain commands of one connection are carried out in their
order, and the protocol needs no more than that: marks come before values go, and go after them. The deadline of a mark is counted
from the first reader who meets it, so that writers need no clock. A mark that is still there when its writer takes it away was
there all the time: the script `lease` deletes one that has ended before it lets anybody fill.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from pgkeel.cache.entry import fresh
from pgkeel.cache.names import marks_of
from pgkeel.cache.touched import Keys, RowKeys
from pgkeel.cache.wire import Word, packed

__all__ = ["INSTEAD", "Said", "commands_of", "in_a_script", "packet_of"]

_NOT_MET = b"-"
INSTEAD = ("OOM", "WRONGTYPE")
"""Refusals after which the script `say` does the same: the memory is full, or what is not ours lies there."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What one write says.

    Attributes:
        keys: What it touches.
        who: Who it is, or b"" for nobody: then no mark comes or goes.
        is_over: Whether it has ended: what slipped in where its mark was lost dies, and its mark goes.
    """

    keys: Keys | RowKeys
    who: bytes
    is_over: bool


def commands_of(all_said: Sequence[Said]) -> list[tuple[Word, ...]]:
    """Return the commands for all of them together, in the order in which they must be carried out."""
    rows: list[bytes] = []
    nobodys: dict[bytes, bytes] = {}
    coming, leaving = defaultdict[bytes, list[bytes]](list), defaultdict[bytes, list[bytes]](list)
    for said in all_said:
        rows += said.keys.rows
        if not said.is_over:
            for tag, meant in said.keys.tags.items():
                coming[tag] += (said.who, _NOT_MET + meant)
        elif said.who:
            for tag in said.keys.tags:
                leaving[tag].append(said.who)
        else:
            nobodys |= said.keys.tags
    commands: list[tuple[Word, ...]] = [("HSET", marks_of(tag), *marks) for tag, marks in coming.items()]
    if rows:
        commands.append(("DEL", *rows))
    version = b"G" + fresh()
    pairs = [word for tag in {**coming, **leaving, **nobodys} for word in (tag, version)]
    if pairs:
        commands.append(("MSET", *pairs))
    return commands + [("HDEL", marks_of(tag), *who) for tag, who in leaving.items()]


def packet_of(all_said: Sequence[Said]) -> tuple[bytes, int]:
    """Return the commands as bytes, and how many there are."""
    commands = commands_of(all_said)
    return b"".join(map(packed, commands)), len(commands)


def in_a_script(all_said: Sequence[Said]) -> tuple[list[bytes], list[Word]]:
    """Return the keys and the values of the script `say`: for each command how many words it has, then those."""
    values: list[Word] = []
    for command in commands_of(all_said):
        values += (len(command), *command)
    rows = [row for said in all_said for row in said.keys.rows]
    tags = [tag for said in all_said for tag in said.keys.tags]
    return [*rows, *tags, *map(marks_of, tags)], values
