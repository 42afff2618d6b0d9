"""What writes of many rows say about each of them, never with its contents."""

from typing import Generic, TypeVar

import msgspec

__all__ = ["Inserted", "RefusedRow", "Upserted"]

K_co = TypeVar("K_co", covariant=True)


class Upserted(msgspec.Struct, Generic[K_co], frozen=True):
    """One row of an upsert.

    Attributes:
        id: Its key.
        inserted: Whether it is new; else the row that was there has changed.
    """

    id: K_co
    inserted: bool


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that the table did not take.

    Attributes:
        row: Its place among the rows that were given, from 0.
        code: The error's code, such as `already_exists`.
        constraint: The constraint that refused it, or "".
        columns: The constraint's columns, as far as the model knows them.
    """

    row: int
    code: str
    constraint: str
    columns: tuple[str, ...]


class Inserted(msgspec.Struct, frozen=True):
    """What became of the rows of an insert that goes on past bad ones.

    Attributes:
        count: How many were inserted.
        refused: The others.
    """

    count: int
    refused: tuple[RefusedRow, ...]
