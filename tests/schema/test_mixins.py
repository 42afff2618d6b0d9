"""Every convention works on a table that has nothing else, and together with every other one."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import Any, ClassVar

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import JSON, ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlalchemy.orm.exc import StaleDataError

from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import snapshot
from pgkeel.schema.mixins import Identified, Numbered, OnSoftDelete, SoftDeleted, TimeOrdered, Timestamped, Versioned
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.types import TYPES, Status
from tests.schema.conftest import engine_of

KEYS: list[type] = [Identified, TimeOrdered, Numbered]
OTHERS: list[type] = [Timestamped, Versioned, SoftDeleted]
PAIRS = [*((key, other) for key in KEYS for other in OTHERS), *combinations(OTHERS, 2)]


class WordStatus:
    """A status column as a mixin of its own, so that it takes part in the pairs."""

    status: Mapped[str] = Status("open", "closed", "deleted", default="open")


class NativeStatus:
    status: Mapped[str] = Status("open", "closed", "deleted", default="open", native=True)


STATUSES: list[type] = [WordStatus, NativeStatus]
ALL_PAIRS = [*PAIRS, *((part, status) for part in [*KEYS, *OTHERS] for status in STATUSES)]


@pytest.fixture
def engine(blank_db: Url) -> Iterator[sqlalchemy.Engine]:
    engine = engine_of(blank_db)
    yield engine
    engine.dispose()


def new_base(schema: str | None = None) -> type[DeclarativeBase]:
    return type("Base", (DeclarativeBase,), {"metadata": new_metadata(schema), "type_annotation_map": TYPES})


def model_of(base: type, *parts: type) -> Any:
    """A table with nothing but the parts, and a key where none of them brings one."""
    fields: dict[str, Any] = {"__tablename__": "things", "__module__": __name__}
    if not any(issubclass(part, tuple(KEYS)) for part in parts):
        fields["number"] = mapped_column(sqlalchemy.Integer, primary_key=True)
    return type("Thing", (base, *parts), fields)


@contextmanager
def tables(base: type[DeclarativeBase], engine: sqlalchemy.Engine, url: Url) -> Iterator[Connection]:
    base.metadata.create_all(engine)
    with connect(url) as connection:
        yield connection
        base.metadata.drop_all(engine)
        assert snapshot(connection).without("grant", "extension").objects == ()


@pytest.mark.majors
@pytest.mark.parametrize(
    "parts",
    [
        *((part,) for part in [*KEYS, *OTHERS, *STATUSES]),
        *ALL_PAIRS,
        (Identified, Timestamped, Versioned, SoftDeleted, WordStatus),
    ],
    ids=lambda parts: "+".join(part.__name__ for part in parts),
)
def test_a_table_with_nothing_else_keeps_every_promise(blank_db: Url, engine: sqlalchemy.Engine, parts: tuple[type, ...]) -> None:
    base = new_base()
    table = model_of(base, *parts).__table__

    with tables(base, engine, blank_db) as connection:
        connection.execute("INSERT INTO things DEFAULT VALUES" if "number" not in table.c else "INSERT INTO things VALUES (1)")
        before = the_row(connection)
        connection.execute("ALTER TABLE things ADD COLUMN changed boolean")
        connection.execute("UPDATE things SET changed = true")
        after = the_row(connection)

        if Timestamped in parts:
            assert before["created_at"] == after["created_at"] < after["updated_at"]
        if Versioned in parts:
            assert (before["version"], after["version"]) == (1, 2)
        if SoftDeleted in parts:
            keeps_soft_delete(connection, has_status="status" in table.c)


def keeps_soft_delete(connection: Connection, *, has_status: bool) -> None:
    if not has_status:
        connection.execute("UPDATE things SET deleted_at = now()")
        return
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE things SET deleted_at = now()")
    connection.execute("UPDATE things SET status = 'closed'")
    connection.execute("UPDATE things SET status = 'deleted', deleted_at = now()")
    connection.execute("UPDATE things SET deleted_at = NULL")
    assert the_row(connection)["status"] == "closed"


def the_row(connection: Connection) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM things").fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("parts", [(Timestamped, Versioned), (SoftDeleted, WordStatus)])
def test_the_mixins_may_stand_before_the_base(parts: tuple[type, ...]) -> None:
    base = new_base()
    fields = {"__tablename__": "things", "number": mapped_column(sqlalchemy.Integer, primary_key=True)}

    first: Any = type("Thing", (*parts, base), dict(fields))

    assert first.__table__.info["pgkeel.ddl"]


def test_the_mixins_work_without_a_declarative_base(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    mapping = registry()

    @mapping.mapped
    class Thing(Numbered, Versioned):
        __tablename__ = "things"

    mapping.metadata.create_all(engine)
    with connect(blank_db) as connection:
        connection.execute("INSERT INTO things DEFAULT VALUES")
        connection.execute("UPDATE things SET version = 7")
        assert the_row(connection)["version"] == 2


def test_a_column_without_equality_does_not_stop_the_triggers(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    base = new_base()

    class Thing(base, Numbered, Timestamped, Versioned):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "things"
        raw: Mapped[dict[str, Any]] = mapped_column(JSON)

    with tables(base, engine, blank_db) as connection:
        connection.execute("""INSERT INTO things (raw) VALUES ('{"a": 1}')""")
        connection.execute("""UPDATE things SET raw = '{"a": 2}'""")
        assert the_row(connection)["version"] == 2


def test_the_unit_of_work_refuses_a_row_that_somebody_else_changed(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    base = new_base()

    class Thing(base, Numbered, Versioned):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "things"
        name: Mapped[str] = mapped_column(Text, server_default="")

    with tables(base, engine, blank_db) as connection:
        connection.execute("INSERT INTO things DEFAULT VALUES")
        with sqlalchemy.orm.Session(engine) as session:
            thing = session.scalars(sqlalchemy.select(Thing)).one()
            connection.execute("UPDATE things SET name = 'theirs'")
            thing.name = "ours"
            with pytest.raises(StaleDataError):
                session.flush()


def test_the_unit_of_work_reads_the_new_version_back(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    base = new_base()

    class Thing(base, Numbered, Versioned, Timestamped):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "things"
        name: Mapped[str] = mapped_column(Text, server_default="")

    with tables(base, engine, blank_db), sqlalchemy.orm.Session(engine) as session:
        thing = Thing(name="first")
        session.add(thing)
        session.flush()
        versions = [thing.version]
        for name in ("second", "third"):
            thing.name = name
            session.flush()
            versions.append(thing.version)
        session.rollback()

    assert versions == [1, 2, 3]


def family(action: OnSoftDelete, *child_parts: type) -> type[DeclarativeBase]:
    base = new_base()

    class Parent(base, Numbered, SoftDeleted):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "parents"
        __soft_delete__: ClassVar = {"children.parent_id": action}

    class Child(base, Numbered, *child_parts):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "children"
        parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"), index=True)

    return base


@pytest.mark.parametrize(
    ("action", "parts", "left"),
    [("keep", (SoftDeleted,), [None]), ("delete", (), []), ("keep", (), ["there"])],
)
def test_a_model_says_what_becomes_of_its_children(
    blank_db: Url, engine: sqlalchemy.Engine, action: OnSoftDelete, parts: tuple[type, ...], left: list[object]
) -> None:
    base = family(action, *parts)
    column = "deleted_at" if parts else "'there'"

    with tables(base, engine, blank_db) as connection:
        connection.execute("INSERT INTO parents DEFAULT VALUES; INSERT INTO children (parent_id) VALUES (1)")
        connection.execute("UPDATE parents SET deleted_at = now()")
        rows = connection.execute(f"SELECT {column} AS found FROM children".encode()).fetchall()

    assert [row["found"] for row in rows] == left


def test_children_with_a_soft_delete_of_their_own_go_and_come_back_with_the_parent(
    blank_db: Url, engine: sqlalchemy.Engine
) -> None:
    base = family("delete", SoftDeleted, WordStatus)
    query = "SELECT status, deleted_at = (SELECT deleted_at FROM parents) AS together FROM children"

    with tables(base, engine, blank_db) as connection:
        connection.execute("INSERT INTO parents DEFAULT VALUES; INSERT INTO children (parent_id, status) VALUES (1, 'closed')")
        connection.execute("UPDATE parents SET deleted_at = now()")
        gone = connection.execute(query.encode()).fetchone()
        connection.execute("UPDATE parents SET deleted_at = '2024-01-01 00:00:00+00'")
        moved = connection.execute(query.encode()).fetchone()
        connection.execute("UPDATE parents SET deleted_at = NULL")
        back = connection.execute(query.encode()).fetchone()

    assert gone == moved == {"status": "deleted", "together": True}
    assert back == {"status": "closed", "together": None}


@pytest.mark.parametrize("parts", [(), (SoftDeleted,)])
def test_a_parent_whose_children_refuse_cannot_go(blank_db: Url, engine: sqlalchemy.Engine, parts: tuple[type, ...]) -> None:
    base = family("refuse", *parts)

    with tables(base, engine, blank_db) as connection:
        connection.execute("INSERT INTO parents DEFAULT VALUES; INSERT INTO children (parent_id) VALUES (1)")
        with pytest.raises(psycopg.errors.RestrictViolation) as refusal:
            connection.execute("UPDATE parents SET deleted_at = now()")
        connection.execute("UPDATE children SET deleted_at = now()" if parts else "DELETE FROM children")
        connection.execute("UPDATE parents SET deleted_at = now()")

    assert (refusal.value.diag.table_name, refusal.value.diag.column_name) == ("children", "parent_id")


def test_a_child_that_is_none_is_named(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    base = new_base()

    class Parent(base, Numbered, SoftDeleted):  # type: ignore[misc, valid-type] # a base made at run time
        __tablename__ = "parents"
        __soft_delete__: ClassVar = {"chidren.parent_id": "delete"}

    with pytest.raises(UsageError, match=r"parents: __soft_delete__ names chidren\.parent_id"):
        base.metadata.create_all(engine)


def test_tables_in_a_schema_of_their_own_keep_their_promises(blank_db: Url, engine: sqlalchemy.Engine) -> None:
    base = new_base("shop")
    with connect(blank_db) as connection:
        connection.execute("CREATE SCHEMA shop")
        model_of(base, Numbered, Timestamped, Versioned, SoftDeleted, WordStatus)
        base.metadata.create_all(engine)
        connection.execute("INSERT INTO shop.things DEFAULT VALUES")
        connection.execute("UPDATE shop.things SET status = 'deleted', deleted_at = now()")
        row = connection.execute("SELECT version, previous_status FROM shop.things").fetchone()

    assert row == {"version": 2, "previous_status": "open"}
