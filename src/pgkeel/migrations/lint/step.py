"""What a rule judges: one action of one statement, and where it stands."""

import enum

import msgspec

from pgkeel.core.rules import Place
from pgkeel.migrations.lint.parser import Node

__all__ = ["Step", "Transaction"]


class Transaction(enum.Enum):
    """What is around a statement when it runs."""

    NONE = "none"
    IMPLICIT = "implicit"  # the runner puts bare statements that follow each other into one
    EXPLICIT = "explicit"


class Step(msgspec.Struct, frozen=True):
    """One action: a statement, or one command of an ALTER TABLE.

    Attributes:
        kind: The node's tag, or the command's subtype: `IndexStmt`, `AT_AddColumn`.
        node: Its tree.
        table: The relation that it works on, as `tree.relation_name` writes it; "" where it is none.
        target: What the ALTER is of: `OBJECT_TABLE`, `OBJECT_INDEX`, …; "" for other statements.
        text: The whole statement.
        place: Where the statement begins.
        unit: Number of its transaction, within all files that are judged together.
        transaction: What is around it.
        tokens: The longest words of the statement.
    """

    kind: str
    node: Node
    table: str
    target: str
    text: str
    place: Place
    unit: int
    transaction: Transaction
    names: tuple[str, ...] = ()
