"""Column types with the design's rules inside: timestamps with time zone, money that is never a float, a checked status."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ColumnElement, DateTime, Numeric, String, Table, Text, Uuid, event, func, text
from sqlalchemy.dialects.postgresql import ENUM, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeDecorator

from pgkeel.core.errors import UsageError

__all__ = ["DELETED", "TYPES", "CreatedAt", "Money", "MoneyType", "NotMoney", "Status", "StatusType", "status_values"]

DELETED = "deleted"
_STATUS = "pgkeel.status"
_SCALE = 4

TYPES: dict[Any, Any] = {
    str: Text(),
    datetime: DateTime(timezone=True),
    UUID: Uuid(),
    dict[str, Any]: JSONB(),
}
"""`type_annotation_map` for a declarative base of your own."""

CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.current_timestamp(), sort_order=100)]


class NotMoney(UsageError):
    """An amount of money must be a Decimal with at most four decimal places."""

    code = "not_money"


class MoneyType(TypeDecorator[Decimal]):
    """`numeric(19,4)`; refuses floats, NaN, and amounts that the server would round without a word."""

    impl = Numeric(19, _SCALE)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the amount unchanged, whole numbers as Decimal.

        Raises:
            NotMoney: It is a float, not finite, or has more than four decimal places.
        """
        if value is None:
            return None
        given: object = value
        if isinstance(given, bool) or not isinstance(given, (Decimal, int)):
            raise NotMoney(f"a {type(given).__name__} is no amount of money", hint="pass a decimal.Decimal made from text")
        amount = Decimal(given)
        if not amount.is_finite() or amount != round(amount, _SCALE):
            raise NotMoney("the amount does not fit numeric(19,4)", hint="round it where the rule for rounding is known")
        return amount


Money = Annotated[Decimal, mapped_column(MoneyType())]
"""`price: Mapped[Money]` is `numeric(19,4)` with a check against NaN."""


class StatusType(String):
    """`varchar` for one of a few words; the column's table gets a named CHECK."""

    def __init__(self, length: int = 20) -> None:
        """Keep the design's length of 20 unless a word is longer."""
        super().__init__(length)


def Status(*values: str, default: str, native: bool = False) -> MappedColumn[Any]:  # noqa: N802 - reads as a type in a model
    """Return a status column: `varchar(20)` with the CHECK `<table>_<column>_check`.

    Args:
        values: The allowed words; with "deleted" among them, a `SoftDeleted` model ties it to `deleted_at`.
        default: The word of a new row.
        native: Make an ENUM named `<table>_<column>` instead. A word can then be added, but never removed.

    Raises:
        UsageError: There are no words, or the default is not one of them.
    """
    if default not in values:
        raise UsageError(f"the default {default!r} is not one of {', '.join(values)}", hint="add it to the words of Status(…)")
    kind = ENUM(*values, name="status") if native else StatusType(max(20, *map(len, values)))
    return mapped_column(kind, nullable=False, server_default=default, info={_STATUS: values})


def status_values(column: Column[Any]) -> tuple[str, ...]:
    """Return the words of a `Status` column, else ()."""
    return tuple(column.info.get(_STATUS, ()))


@event.listens_for(Column, "after_parent_attach")
def _add_rules(column: Column[Any], table: object) -> None:
    """Give the table of a status or money column what belongs to the column."""
    if not isinstance(table, Table):
        return
    if isinstance(column.type, ENUM) and status_values(column):
        column.type.name = f"{table.name}_{column.name}"
    elif isinstance(column.type, StatusType):
        _check(table, column, column.in_(status_values(column)))
    elif isinstance(column.type, MoneyType):
        _check(table, column, column != text("'NaN'"))


def _check(table: Table, column: Column[Any], condition: ColumnElement[bool]) -> None:
    # type-bound: `Table.to_metadata` copies the column, which makes the check again
    table.append_constraint(CheckConstraint(condition, name=conv(f"{table.name}_{column.name}_check"), _type_bound=True))
