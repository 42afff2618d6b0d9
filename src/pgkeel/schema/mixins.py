"""The design's common fields for your own models: `class Invoice(Base, Identified, Timestamped, Versioned, SoftDeleted)`.

Each brings its columns, and with them the triggers, checks and functions that keep them true for SQL that knows no ORM.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, FetchedValue, Identity, String, Table, event, func, text
from sqlalchemy.orm import Mapped, Mapper, declared_attr, mapped_column
from sqlalchemy.sql.elements import conv

import pgkeel.schema.lazy  # noqa: F401 - relationships of all models load by surprise no more
from pgkeel.core.errors import UsageError
from pgkeel.schema.ddl import Trigger, bring_function, bring_triggers
from pgkeel.schema.types import DELETED, status_values

__all__ = [
    "Identified",
    "Numbered",
    "OnSoftDelete",
    "SoftDeleted",
    "TimeOrdered",
    "Timestamped",
    "Versioned",
    "deleted_status",
]

OnSoftDelete = Literal["keep", "delete", "refuse"]
"""What becomes of a child: it stays; it goes along and comes back along; or the parent cannot go while it is there."""

_TURNED = "(OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)"
_GONE = "OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL"
_MOVED = "OLD.deleted_at IS DISTINCT FROM NEW.deleted_at"


class Identified:
    """`id uuid`, random: the design's default, for systems with more than one writer."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid(), sort_order=-100)


class TimeOrdered(Identified):
    """`id uuid` in the order of creation (RFC 9562, version 7): new rows land side by side in the index."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("new_id()"), sort_order=-100)


class Numbered:
    """`id bigint`, an identity: the design's BIGSERIAL, for a single database."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-100)


class Timestamped:
    """`created_at` and `updated_at`; a trigger keeps the second."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.current_timestamp(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.current_timestamp(), server_onupdate=FetchedValue(), sort_order=101
    )


class Versioned:
    """`version bigint`, counted up by a trigger on every change: the base of optimistic locking, in the ORM and outside it.

    A model with `__mapper_args__` of its own repeats the two entries.
    """

    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"), server_onupdate=FetchedValue(), sort_order=102)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        """Let the unit of work add `WHERE version = …` and read the new number back."""
        if any("__mapper__" in vars(parent) for parent in cls.__mro__[1:]):
            return {}
        return {"version_id_col": cls.version, "version_id_generator": False}


class SoftDeleted:
    """`deleted_at`; with a `Status` column that knows "deleted", a CHECK ties both and a restore brings the old status back.

    Attributes:
        __soft_delete__: What becomes of the children, by `table.column` of their foreign key. One that is not named is kept.
        __tombstone__: Column → SQL of what a purge writes into a row that others still point to, so that it names nobody. The
            same row must always give the same value.
    """

    __soft_delete__: ClassVar[Mapping[str, OnSoftDelete]] = {}
    __tombstone__: ClassVar[Mapping[str, str]] = {}

    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), sort_order=103)


def deleted_status(table: Table) -> str | None:
    """Return "deleted" where a soft delete must set `status` beside `deleted_at`, else None."""
    column = table.c.get("status")
    return DELETED if column is not None and "deleted_at" in table.c and DELETED in status_values(column) else None


@event.listens_for(TimeOrdered, "after_mapper_constructed", propagate=True)
def _order_ids(mapper: Mapper[Any], _: type) -> None:
    for table in _table_with(mapper, "id"):
        bring_function(table, "new_id")


@event.listens_for(Timestamped, "after_mapper_constructed", propagate=True)
def _keep_updated_at(mapper: Mapper[Any], _: type) -> None:
    for table in _table_with(mapper, "updated_at"):
        bring_triggers(table, "updated_at", lambda _: [Trigger("set_updated_at", "set_updated_at")])


@event.listens_for(Versioned, "after_mapper_constructed", propagate=True)
def _keep_version(mapper: Mapper[Any], _: type) -> None:
    for table in _table_with(mapper, "version"):
        bring_triggers(table, "version", lambda _: [Trigger("bump_version", "bump_version")])


@event.listens_for(SoftDeleted, "after_mapper_constructed", propagate=True)
def _keep_deleted(mapper: Mapper[Any], model: type[SoftDeleted]) -> None:
    for table in _table_with(mapper, "deleted_at"):
        if deleted_status(table):
            _tie_status(table)
        bring_triggers(table, "children", lambda parent: _child_triggers(parent, model.__soft_delete__))


def _tie_status(table: Table) -> None:
    if "previous_status" in table.c:
        return
    table.append_column(Column("previous_status", String(20)))
    tie = CheckConstraint("(status = 'deleted') = (deleted_at IS NOT NULL)", name=conv(f"{table.name}_deleted_check"))
    table.append_constraint(tie)
    bring_triggers(table, "status", lambda _: [Trigger("keep_status", "keep_status", (_first_status(table),), _TURNED)])


def _table_with(mapper: Mapper[Any], column: str) -> list[Table]:
    """Return the model's own table, or nothing where the column is in the table of a parent class."""
    table = mapper.local_table
    return [table] if isinstance(table, Table) and column in table.c else []


def _first_status(table: Table) -> str:
    default: Any = table.c.status.server_default
    return str(default.arg)


def _child_triggers(parent: Table, actions: Mapping[str, OnSoftDelete]) -> Iterator[Trigger]:
    for path, action in sorted(actions.items()):
        trigger = _child_trigger(parent, path, action)
        if trigger is not None:
            yield trigger


def _child_trigger(parent: Table, path: str, action: OnSoftDelete) -> Trigger | None:
    child, column, target = _reference(parent, path)
    is_soft = "deleted_at" in child.c
    name, arguments = f"soft_delete_{child.name}_{column}", (child.name, column, target)
    if action == "refuse":
        alive = " AND deleted_at IS NULL" if is_soft else ""
        return Trigger(name, "refuse_soft_delete", (*arguments, alive), _GONE, "AFTER")
    if action == "delete" and is_soft:
        status = f", status = '{DELETED}'" if deleted_status(child) else ""
        return Trigger(name, "soft_delete_children", (*arguments, status), _MOVED, "AFTER")
    return Trigger(name, "delete_children", arguments, _GONE, "AFTER") if action == "delete" else None


def _reference(parent: Table, path: str) -> tuple[Table, str, str]:
    """Return the child table, its column and the parent's column that it points to."""
    name, _, column = path.rpartition(".")
    child = parent.metadata.tables.get(f"{parent.schema}.{name}" if parent.schema else name)
    found = child.c.get(column) if child is not None else None
    keys = [key for key in found.foreign_keys if key.references(parent)] if found is not None else []
    if child is None or not keys:
        raise UsageError(
            f"{parent.name}: __soft_delete__ names {path}, which is no foreign key to {parent.name}",
            hint="write it as child_table.column; parent and child stand in the same schema",
        )
    return child, column, keys[0].column.name
