"""Sealed values are bound to the id of their row: no write that the library lets through leaves one that does not open."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey, UniqueConstraint, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, load_only, mapped_column

from pgkeel.access import AlreadyExists, InvalidValue
from pgkeel.access.sealing import bound_rows
from pgkeel.core.cipher import Sealed
from pgkeel.core.errors import UsageError
from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import Connection, connect
from pgkeel.schema.building import create_all
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified, Numbered, Versioned
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.sealed_type import NotSealed
from pgkeel.schema.types import TYPES
from tests.access.conftest import KEYS, Opener, done

DAY = date(2026, 1, 1)


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPES


class Owner(Base, Identified, Versioned):
    __tablename__ = "owners"

    name: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = Encrypted(index="exact")
    phone: Mapped[str | None] = Encrypted(index="digits")
    city: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(server_default="owner")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "owner"}  # noqa: RUF012 - as SQLAlchemy wants it


class Shop(Owner):
    """On the table of its base."""

    __mapper_args__ = {"polymorphic_identity": "shop"}  # noqa: RUF012 - as SQLAlchemy wants it


class Firm(Owner):
    __tablename__ = "firms"
    __mapper_args__ = {"polymorphic_identity": "firm"}  # noqa: RUF012 - as SQLAlchemy wants it

    id: Mapped[UUID] = mapped_column(ForeignKey("owners.id", onupdate="CASCADE"), primary_key=True)
    motto: Mapped[str | None] = Encrypted()


class Parcel(Base, Numbered):
    __tablename__ = "parcels"

    label: Mapped[str] = Encrypted()


class Visit(Base):
    __tablename__ = "visits"
    __table_args__ = (UniqueConstraint("day", "door"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    door: Mapped[str]
    note: Mapped[str | None] = Encrypted()


class Door(Base, Identified):
    __tablename__ = "doors"
    __table_args__ = (UniqueConstraint("place", postgresql_nulls_not_distinct=True),)

    place: Mapped[str | None]
    note: Mapped[str] = Encrypted()


TABLE: Any = Owner.__table__


@pytest.fixture(scope="module")
def place(cluster_of: Callable[[str], Cluster]) -> Iterator[Url]:
    cluster = cluster_of("17")
    cluster.create_database("bound")
    url = cluster.superuser_url("bound")
    with connect(url) as connection:
        create_all(Base, connection)
    yield url
    cluster.drop_database("bound")


@pytest.fixture
def raw(place: Url) -> Iterator[Connection]:
    with connect(place) as connection:
        connection.execute("TRUNCATE owners, visits, firms, parcels, doors")
        yield connection


@pytest.fixture
async def db(open_db: Opener, place: Url, raw: Connection) -> Any:
    return await open_db(place, keys=KEYS)


async def test_an_upsert_by_another_column_keeps_the_id_and_what_is_bound_to_it(db: Any) -> None:
    owners = db.repository(Owner)
    ada = await owners.insert(name="ada", note="one", phone="1")
    both = [{"name": "ada", "note": "two"}, {"name": "bob", "note": "b"}, {"name": "bob", "note": "later"}]
    found = await owners.upsert_many(both, on="name")
    assert [(each.id == ada, each.inserted) for each in found] == [(True, False), (False, True), (False, True)]
    assert found[1].id == found[2].id
    row = await owners.get_one(ada)
    assert (row.name, row.note, row.phone) == ("ada", "two", "1")
    assert (await owners.get_one(found[1].id)).note == "later"


@pytest.mark.parametrize("named", [None, ["note"], ["city", "note"]])
async def test_an_upsert_that_brings_an_id_or_names_its_fields_seals_for_the_row_that_is_there(
    db: Any, named: list[str] | None
) -> None:
    owners = db.repository(Owner)
    ada = await owners.insert(name="ada", note="one")
    await owners.upsert_many([{"id": random_id(), "name": "ada", "note": "two", "city": "x"}], on="name", update=named)
    assert (await owners.get_one(ada)).note == "two"
    assert [row.id for row in await owners.filter(Owner.note == "two")] == [ada]


async def test_an_upsert_that_changes_nothing_sealed_or_leaves_rows_alone_finds_them_by_itself(db: Any) -> None:
    owners = db.repository(Owner)
    ada = await owners.insert(name="ada", note="one")
    given = [{"name": "ada", "note": "two", "city": "Paris"}]
    assert await owners.upsert_many(given, on="name", update=()) == []
    assert [one.id for one in await owners.upsert_many(given, on="name", update=["city"])] == [ada]
    row = await owners.get_one(ada)
    assert (row.note, row.city) == ("one", "Paris")


async def test_an_upsert_by_two_columns_finds_the_whole_primary_key(db: Any) -> None:
    visits, key = db.repository(Visit), random_id()
    await visits.insert(day=DAY, id=key, door="a", note="one")
    given = [{"day": DAY, "door": "a", "note": "two"}, {"day": DAY, "door": "b", "note": "new"}]
    await visits.upsert_many(given, on=("day", "door"))
    rows = {row.door: (row.id == key, row.note) for row in await visits.filter()}
    assert rows == {"a": (True, "two"), "b": (False, "new")}


@pytest.mark.parametrize("on", ["city", "note"])
async def test_rows_without_a_value_in_the_key_of_an_upsert_are_not_one(db: Any, on: str) -> None:
    owners = db.repository(Owner)
    there = await owners.insert(name="x", note="None", city="None")
    given = [{"name": name, "city": None, "note": None, "phone": name} for name in ("1", "2")]
    found = await owners.upsert_many(given, on=on)
    assert [each.inserted for each in found] == [True, True]
    assert len({there, *(each.id for each in found)}) == 3
    assert {row.name: row.phone for row in await owners.filter()} == {"x": None, "1": "1", "2": "2"}


async def test_rows_without_a_value_are_one_where_the_constraint_says_so(db: Any) -> None:
    doors = db.repository(Door)
    for text in ("one", "two"):
        found = await doors.upsert_many([{"place": None, "note": "x"}, {"place": None, "note": text}], on="place")
        assert found[0].id == found[1].id
    assert [row.note for row in await doors.filter()] == ["two"]


async def test_a_row_that_comes_between_an_upsert_and_its_look_is_not_written_over(db: Any, raw: Connection) -> None:
    owners = db.repository(Owner)
    raw.execute(
        "CREATE FUNCTION come_between() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO owners (id, name) VALUES (gen_random_uuid(), 'ada'); RETURN NULL; END $$"
    )
    raw.execute(
        "CREATE TRIGGER between BEFORE INSERT ON owners FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) "
        "EXECUTE FUNCTION come_between()"
    )
    try:
        with pytest.raises(AlreadyExists):
            await owners.upsert_many([{"name": "ada", "note": "two"}], on="name")
    finally:
        raw.execute("DROP FUNCTION come_between CASCADE")


async def test_a_repository_gives_a_row_no_other_id(db: Any) -> None:
    owners = db.repository(Owner)
    ada = await owners.insert(name="ada", note="one")
    with pytest.raises(UsageError, match=r"Owner\.id stays"):
        await owners.update(ada, version=1, id=random_id())
    assert (await owners.update(str(ada), version=1, id=ada, note="two")).note == "two"


async def test_a_text_that_is_no_id_is_refused(db: Any) -> None:
    owners = db.repository(Owner)
    writes: list[Callable[[], Any]] = [
        lambda: owners.insert(id="nobody", name="ada", note="one"),
        lambda: owners.update("nobody", version=1, note="one"),
        lambda: owners.update_many([{"id": "nobody", "note": "one"}]),
    ]
    for write in writes:
        with pytest.raises(UsageError, match=r"owners\.id is no UUID"):
            await write()


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_an_object_that_gets_another_id_is_sealed_anew(db: Any, raw: Connection, is_loaded: bool) -> None:
    owners, key = db.repository(Owner), random_id()
    ada = await owners.insert(name="ada", note="one", phone="1")
    wanted = select(Owner).where(Owner.id == ada)
    async with db.transaction() as work:
        found = await done(work.scalars(wanted if is_loaded else wanted.options(load_only(Owner.id, Owner.version))))
        owner = found.one()
        owner.id = key
        if is_loaded:
            assert owner.note == "one"
        await done(work.flush())
        if is_loaded:
            assert owner.note == "one"
        assert isinstance(vars(owner)["note"], Sealed)
    row = await owners.get_one(key)
    assert (row.note, row.phone) == ("one", "1")
    assert [each.id for each in await owners.filter(Owner.note == "one", Owner.phone == "1")] == [key]


async def test_an_object_may_get_another_id_and_other_values_at_once_or_neither(db: Any) -> None:
    owners, key = db.repository(Owner), random_id()
    ada = await owners.insert(name="ada", note="one", phone="1")
    with suppress(RuntimeError):
        async with db.transaction() as work:
            (await done(work.get(Owner, ada))).id = key
            await done(work.flush())
            raise RuntimeError
    async with db.transaction() as work:
        owner = await done(work.get(Owner, ada))
        owner.id, owner.note, owner.phone = key, "two", None
    row = await owners.get_one(key)
    assert (row.note, row.phone) == ("two", None)


@pytest.mark.parametrize(
    "statement",
    [
        lambda: update(Owner).values(id=random_id()),
        lambda: update(TABLE).values({TABLE.c.id: random_id()}),
        lambda: update(Owner).values(id=random_id(), note=None),
        lambda: update(Owner).values(note=Owner.phone),
        lambda: insert(Owner).from_select(["id", "name", "note"], select(func.gen_random_uuid(), Owner.name + "2", Owner.note)),
    ],
)
async def test_a_statement_that_leaves_values_which_do_not_open_is_refused(db: Any, statement: Callable[[], Any]) -> None:
    await db.repository(Owner).insert(name="ada", note="one", phone="1")
    with pytest.raises(NotSealed):
        async with db.transaction() as work:
            await done(work.execute(statement()))


async def test_a_statement_of_ones_own_writes_sealed_values_and_null(db: Any) -> None:
    owners, key = db.repository(Owner), random_id()
    ada = await owners.insert(name="ada", note="one", phone="1")
    async with db.transaction() as work:
        await done(work.execute(update(Owner).where(Owner.id == ada).values(note=Owner.note, phone=None, phone_bidx=None)))
    row = await owners.get_one(ada)
    assert (row.note, row.phone) == ("one", None)
    sealed = db.sealed(Owner, {"id": key, "note": "two", "phone": "2"})
    sealed = await sealed if inspect.isawaitable(sealed) else sealed
    async with db.transaction() as work:
        await done(work.execute(update(Owner).where(Owner.id == ada).values(**sealed)))
        copied = insert(Owner).from_select(["id", "name"], select(func.gen_random_uuid(), Owner.name + "2"))
        await done(work.execute(copied))
    row = await owners.get_one(key)
    assert (row.note, row.phone) == ("two", "2")


@pytest.mark.parametrize("model", [Shop, Firm])
async def test_models_that_inherit_encrypted_columns_seal_and_open_them(db: Any, model: type[Owner]) -> None:
    key = random_id()
    more = {"motto": "honest"} if model is Firm else {}
    async with db.transaction() as work:
        work.add(model(name="ada", note="one", phone="1", **more))
    async with db.transaction() as work:
        found = (await done(work.scalars(select(model).where(model.note == "one", model.phone == "1")))).one()
        assert (found.note, getattr(found, "motto", "honest")) == ("one", "honest")
        found.id, found.phone = key, "2"
    async with db.transaction() as work:
        found = await done(work.get(model, key))
        assert (found.note, found.phone, getattr(found, "motto", "honest")) == ("one", "2", "honest")


async def test_a_model_in_several_tables_has_no_repository_and_is_in_nobodys_way(db: Any) -> None:
    with pytest.raises(UsageError, match="Firm lies in several tables: owners, firms"):
        db.repository(Firm)
    row = await db.repository(Owner).get_one(await db.repository(Owner).insert(name="ada", note="one"))
    (again,) = bound_rows([row], KEYS)
    assert again.note == "one"


async def test_a_number_that_is_given_as_text_binds_as_a_number(db: Any) -> None:
    parcels = db.repository(Parcel)
    await parcels.insert(id=5, label="one")
    with suppress(InvalidValue):  # asyncpg takes no text for a number
        await parcels.update("05", version=None, label="two")
    assert (await parcels.get_one(5)).label in {"one", "two"}
    with pytest.raises(UsageError, match=r"parcels\.id is no int"):
        await parcels.update("five", version=None, label="two")


async def test_digits_of_other_scripts_are_digits(db: Any) -> None:
    owners = db.repository(Owner)
    persian, latin = "\u06f0\u06f9\u06f1\u06f2 \u06f3\u06f4", "0912 35"
    first, second = [await owners.insert(name=phone, phone=phone) for phone in (persian, latin)]
    assert [row.id for row in await owners.filter(Owner.phone == "\u0660\u0669\u0661\u0662\u0663\u0664")] == [first]
    assert [row.id for row in await owners.filter(Owner.phone == "091235")] == [second]
