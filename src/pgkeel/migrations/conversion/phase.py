"""When a statement of a generated migration runs, and in what kind of unit."""

from enum import IntEnum

import msgspec

__all__ = ["Phase", "Step"]


class Phase(IntEnum):
    """The order of a generated migration.

    A new word of an enum can be used only after its transaction; an index is built beside the writers, outside of a transaction;
    what was added NOT VALID is validated in a transaction of its own, so that its strong lock is over before the table is read.
    """

    WORDS = 0
    DROP = 1
    MAKE = 2
    BUILD = 3
    ATTACH = 4
    VALIDATE = 5
    FINISH = 6
    UNBUILD = 7
    LAST = 8

    @property
    def is_alone(self) -> bool:
        """Whether each statement runs outside of a transaction."""
        return self in {Phase.BUILD, Phase.UNBUILD}

    @property
    def is_single(self) -> bool:
        """Whether each statement has a transaction of its own."""
        return self in {Phase.WORDS, Phase.VALIDATE}


class Step(msgspec.Struct, frozen=True):
    """One statement and when it runs."""

    phase: Phase
    text: str
