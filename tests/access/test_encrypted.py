"""Encrypted columns through every door: clear for the caller, sealed everywhere else."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import String, case, cast, delete, distinct, func, insert, literal, select, true, tuple_, union, union_all, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

from pgkeel.access import AlreadyExists
from pgkeel.core.cipher import CannotOpen, UnknownKey, key_of
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import Connection, connect
from pgkeel.schema import row_class
from pgkeel.schema.building import create_all
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified, Numbered, TimeOrdered, Versioned
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.sealed_type import NotSearchable
from pgkeel.schema.types import TYPES
from pgkeel.security.keys import KeyRing
from tests.access.conftest import KEYS, Opener, done

ONE = pytest.mark.parametrize("colour", ["asyncpg"])


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPES


class Person(Base, Identified, Versioned):
    __tablename__ = "people"

    email: Mapped[str] = Encrypted(index="email", unique="idx_people_email")
    phone: Mapped[str | None] = Encrypted(index="digits")
    note: Mapped[str | None] = Encrypted()
    city: Mapped[str | None]


class Letter(Base, TimeOrdered):
    __tablename__ = "letters"

    body: Mapped[str] = Encrypted()


class Parcel(Base, Numbered):
    __tablename__ = "parcels"

    label: Mapped[str] = Encrypted()


@pytest.fixture(scope="module")
def people(cluster_of: Callable[[str], Cluster]) -> Iterator[Url]:
    cluster = cluster_of("17")
    cluster.create_database("encrypted")
    place = cluster.superuser_url("encrypted")
    with connect(place) as connection:
        create_all(Base, connection)
    yield place
    cluster.drop_database("encrypted")


@pytest.fixture
def raw(people: Url) -> Iterator[Connection]:
    with connect(people) as connection:
        connection.execute("TRUNCATE people, letters, parcels")
        yield connection


@pytest.fixture
async def db(open_db: Opener, people: Url, raw: Connection) -> Any:
    return await open_db(people, keys=KEYS)


def stored(raw: Connection) -> list[dict[str, Any]]:
    return raw.execute("SELECT * FROM people ORDER BY id").fetchall()


async def test_a_row_gives_the_clear_text_and_shows_it_nowhere(db: Any, raw: Connection) -> None:
    people = db.repository(Person)
    key = await people.insert(email="Ada@Example.org", phone="+44 20 7946", city="London")
    row = await people.get_one(key)
    assert (row.email, row.phone, row.note, row.city) == ("Ada@Example.org", "+44 20 7946", None, "London")
    assert "xample" not in f"{row!r} {row} {row.email_sealed}"
    assert "Example" not in str(msgspec.structs.astuple(row))
    (found,) = stored(raw)
    assert key_of(found["email"]) == KEYS.active
    assert found["note"] is None
    assert found["email_bidx_next"] is None
    assert b"xample" not in b"".join(value for value in found.values() if isinstance(value, bytes))


async def test_equal_values_are_found_however_they_are_written(db: Any) -> None:
    people = db.repository(Person)
    ada = await people.insert(email="ada@example.org", phone="020 1")
    bob = await people.insert(email="bob@example.org")
    assert [row.id for row in await people.filter(Person.email == " ADA@example.org ")] == [ada]
    assert [row.id for row in await people.filter(Person.phone == "0-2-0 1")] == [ada]
    assert {row.id for row in await people.filter(Person.email.in_(["ada@example.org", "BOB@example.org", "x"]))} == {ada, bob}
    assert [row.id for row in await people.filter(Person.phone.is_(None))] == [bob]
    assert [row.id for row in await people.filter(Person.email != "ada@example.org")] == [bob]
    assert [row.id for row in await people.filter(Person.email.not_in(["ada@example.org"]))] == [bob]
    assert await people.count(Person.email == "nobody@example.org") == 0
    assert await people.first(Person.email == "bob@example.org", Person.phone.is_(None)) is not None
    again = [await people.count(Person.email == email) for email in ("ada@example.org", "bob@example.org", "x")]
    assert again == [1, 1, 0]


@pytest.mark.parametrize(
    "condition",
    [
        lambda: Person.email.like("ada%"),
        lambda: Person.email.ilike("ada%"),
        lambda: Person.email.startswith("a"),
        lambda: Person.email > "a",
        lambda: Person.email.between("a", "b"),
        Person.email.desc,
        lambda: Person.email + "x",
        lambda: Person.email == Person.city,
        lambda: Person.email == 7,
        lambda: Person.note == "x",
    ],
)
def test_whatever_needs_more_than_equality_is_refused(condition: Callable[[], Any]) -> None:
    with pytest.raises(NotSearchable) as caught:
        condition()
    assert caught.value.hint


@ONE
async def test_an_encrypted_column_is_no_order(db: Any) -> None:
    for order in ("email", "-phone", Person.note):
        with pytest.raises(NotSearchable):
            await db.repository(Person).page(order_by=order)


ORDERED = [
    select(Person).order_by(Person.email),
    select(Person).order_by(Person.city, Person.phone),
    select(Person).order_by("email"),
    select(Person.note.label("told")).order_by("told"),
    select(Person).order_by(func.lower(Person.note)),
    union_all(select(Person.email), select(Person.email)).order_by("email"),
]


@ONE
@pytest.mark.parametrize("statement", ORDERED, ids=range(len(ORDERED)))
async def test_an_encrypted_column_is_no_order_in_a_unit_of_work(db: Any, statement: Any) -> None:
    async with db.transaction() as tx:
        with pytest.raises(NotSearchable, match=r"people\.\w+ is encrypted: it has no order"):
            await done(tx.execute(statement))
        assert (await done(tx.execute(select(Person).order_by(Person.city, "id")))).all() == []


OTHER = aliased(Person)
INNER = select(Person.id, Person.email, Person.city).subquery()
LOOKS_AT_CIPHERTEXT = [
    select(func.max(Person.email)),
    select(func.min(Person.note)),
    select(func.lower(Person.email)),
    select(func.length(Person.email)),
    select(Person.city).where(func.lower(Person.email) == "ada@example.org"),
    select(Person.city).where(func.lower(Person.email).like("a%")),
    select(func.coalesce(Person.email, Person.phone)),
    select(func.array_agg(Person.email)),
    select(Person.city).where(func.length(Person.email) > 3),
    select(Person.city).where(literal("x") == Person.email),
    select(Person.city).where(tuple_(Person.id, Person.email) == tuple_(OTHER.id, OTHER.email)),
    select(cast(Person.email, String)),
    select(case({"x": "y"}, value=Person.email)),
    select(func.count()).group_by(Person.email),
    select(Person.email, func.count()).group_by("email"),
    select(func.row_number().over(partition_by=Person.email)),
    select(func.row_number().over(order_by=Person.note)),
    select(Person.email).distinct(),
    union(select(Person.email), select(OTHER.email)),
    union(select(Person.id, Person.email), union_all(select(OTHER.id, OTHER.email), select(func.gen_random_uuid(), OTHER.email))),
    select(Person.email).intersect(select(Person.email)),
    select(Person.email).intersect_all(select(Person.note)),
    select(Person.note).except_(select(Person.note)),
    select(Person.city).where(Person.id.in_(select(select(OTHER.email).except_all(select(OTHER.email)).subquery().c.email))),
    select(Person.email).union_all(select(Person.email)).order_by("email"),
    select(Person.id, Person.city).ext(distinct_on(Person.email)),
    select(func.upper(INNER.c.email)),
    select(func.upper(OTHER.email)),
    select(Person.city).where(Person.id.in_(select(Person.id).where(func.lower(Person.note) == func.lower(Person.city)))),
    select(func.lower(select(Person.email).limit(1).scalar_subquery())),
    update(Person).where(func.length(Person.note) > 3).values(city="x"),
    update(Person).values(city=func.encode(Person.note, "escape")),
    delete(Person).where(func.length(Person.note) > 3),
]


@ONE
@pytest.mark.parametrize("statement", LOOKS_AT_CIPHERTEXT, ids=range(len(LOOKS_AT_CIPHERTEXT)))
async def test_a_statement_that_would_look_at_ciphertext_is_refused_where_it_compiles(db: Any, statement: Any) -> None:
    async with db.transaction() as work:
        with pytest.raises(NotSearchable, match=r"people\.\w+ is encrypted: ") as caught:
            await done(work.execute(statement))
        assert caught.value.hint


@pytest.mark.parametrize(
    "condition",
    [
        lambda: func.max(Person.email) > "a",
        lambda: func.count(distinct(Person.email)),
        lambda: INNER.c.email == "ada@example.org",
    ],
)
def test_only_the_column_itself_is_compared(condition: Callable[[], Any]) -> None:
    with pytest.raises(NotSearchable):
        condition()


async def test_a_repository_looks_at_no_ciphertext_either(db: Any) -> None:
    people = db.repository(Person)
    with pytest.raises(NotSearchable):
        await people.filter(func.length(Person.email) > 3)
    with pytest.raises(NotSearchable):
        await people.aggregate(by=[Person.city], most=func.max(Person.email))
    with pytest.raises(NotSearchable):
        await people.aggregate(by=[Person.email], rows=func.count())


async def test_whether_there_is_a_value_may_be_asked(db: Any) -> None:
    people = db.repository(Person)
    await people.insert_many(
        [{"email": "a@example.org", "note": "n", "city": "x"}, {"email": "b@example.org", "note": None, "city": "x"}]
    )
    (group,) = await people.aggregate(by=[Person.city], notes=func.count(Person.note), rows=func.count())
    assert (group["notes"], group["rows"]) == (1, 2)
    statements: list[tuple[Any, object]] = [
        (select(func.count(Person.note)).where(Person.email == "a@example.org"), 1),
        (select(func.count(case((Person.note.is_(None), 1)))), 1),
        (select(func.sum(case((Person.note.is_not(None), 1), else_=0))), 1),
        (select(func.count()).where(Person.email.in_(["a@example.org", "b@example.org"])), 2),
        (select(Person.city).ext(distinct_on(Person.city)).where(Person.note.is_(None)), "x"),
        (select(func.bool_or(Person.note.is_(None))), True),
        (select(func.count()).select_from(select(Person).distinct().subquery()), 2),
        (select(func.count()).select_from(union_all(select(Person.email), select(Person.email)).subquery()), 4),
        (select(func.count()).select_from(union(select(Person), select(Person)).subquery()), 2),
        (select(func.count()).select_from(select(Person.id, Person.email).except_(select(OTHER.id, OTHER.email)).subquery()), 0),
        (select(func.count()).select_from(select(Person.id, Person.email).join(OTHER, true()).distinct().subquery()), 2),
    ]
    async with db.transaction() as work:
        for statement, expected in statements:
            assert (await done(work.execute(statement))).scalar_one() == expected


@ONE
async def test_two_rows_with_the_same_value_are_refused(db: Any) -> None:
    people = db.repository(Person)
    await people.insert(email="ada@example.org")
    with pytest.raises(AlreadyExists) as caught:
        await people.insert(email="ADA@example.org")
    assert caught.value.constraint == "idx_people_email"
    assert "example.org" not in str(caught.value)


async def test_an_update_seals_for_the_same_row(db: Any, raw: Connection) -> None:
    people = db.repository(Person)
    key = await people.insert(email="ada@example.org", phone="1", note="hello")
    row = await people.update(str(key) if isinstance(key, UUID) else key, version=1, email="new@example.org", phone=None)
    assert (row.email, row.phone, row.note) == ("new@example.org", None, "hello")
    assert await people.count(Person.email == "ada@example.org") == 0
    assert stored(raw)[0]["phone_bidx"] is None


async def test_many_rows_are_sealed_on_their_way(db: Any, raw: Connection) -> None:
    people = db.repository(Person)
    assert await people.insert_many({"email": f"u{n}@example.org", "city": "x"} for n in range(50)) == 50
    ids = await people.insert_many_returning([{"email": "v@example.org", "note": "n"}, {"email": "w@example.org", "note": None}])
    rows = await people.filter()
    assert {row.email for row in rows} == {*(f"u{n}@example.org" for n in range(50)), "v@example.org", "w@example.org"}
    assert [(await people.get_one(key)).note for key in ids] == ["n", None]
    assert b"example" not in b"".join(row["email"] for row in stored(raw))
    await db.sql("DELETE FROM people")
    assert await people.insert_many(rows) == 52


@ONE
async def test_an_upsert_by_an_encrypted_value_changes_the_row_that_has_it(db: Any, raw: Connection) -> None:
    people = db.repository(Person)
    ada = await people.insert(email="ada@example.org", note="old", city="London")
    done = await people.upsert_many(
        [
            {"email": "ADA@example.org", "note": "new", "city": "Paris"},
            {"email": "bob@example.org", "note": "b", "city": "x"},
            {"email": "Bob@example.org", "note": "later", "city": "y"},
        ],
        on="email",
    )
    assert [(each.id == ada, each.inserted) for each in done] == [(True, False), (False, True), (False, True)]
    rows = {row.email: (row.note, row.city) for row in await people.filter()}
    assert rows == {"ADA@example.org": ("new", "Paris"), "Bob@example.org": ("later", "y")}
    assert await people.upsert_many([{"email": "ada@example.org", "note": "no", "city": "Rome"}], on="email", update=["city"])
    assert [(row.note, row.city) for row in await people.filter(Person.email == "ada@example.org")] == [("new", "Rome")]
    with pytest.raises(UsageError, match="email"):
        await people.upsert_many([{"note": "n", "city": "c"}], on="email")
    for wrong in ("note", ("email", "city")):
        with pytest.raises(UsageError):
            await people.upsert_many([{"email": "a@example.org", "note": "n", "city": "c"}], on=wrong)


@ONE
async def test_rows_are_changed_by_their_ids_and_stay_bound_to_them(db: Any) -> None:
    people = db.repository(Person)
    ids = await people.insert_many_returning([{"email": f"{n}@example.org"} for n in range(3)])
    await people.update_many([{"id": key, "note": f"note {n}", "phone": str(n)} for n, key in enumerate(ids)])
    assert [(await people.get_one(key)).note for key in ids] == ["note 0", "note 1", "note 2"]
    assert [row.id for row in await people.filter(Person.phone == "2")] == [ids[2]]


async def test_a_unit_of_work_reads_and_writes_clear_text(db: Any, raw: Connection) -> None:
    async with db.transaction() as work:
        person = Person(email="ada@example.org", note="one")
        assert person.email == "ada@example.org"
        work.add(person)
        await _done(work.flush())
        assert person.email == "ada@example.org"
        assert "example" not in repr(vars(person))
    async with db.transaction() as work:
        found = (await _done(work.scalars(select(Person).where(Person.email == "ADA@example.org")))).one()
        assert (found.email, found.note) == ("ada@example.org", "one")
        other = aliased(Person)
        assert (await _done(work.scalars(select(other).where(other.email == "ada@example.org")))).one().note == "one"
        found.email, found.note = "new@example.org", None
    row = (await db.repository(Person).filter(Person.email == "new@example.org"))[0]
    assert (row.email, row.note, row.version) == ("new@example.org", None, 2)
    assert b"example" not in stored(raw)[0]["email"]


async def _done(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


async def test_a_clear_value_never_reaches_a_statement(db: Any, raw: Connection) -> None:
    for statement in (
        insert(Person).values(id=random_id(), email="ada@example.org"),
        update(Person).values(email="x@example.org"),
    ):
        with pytest.raises(UsageError) as caught:
            async with db.transaction() as work:
                await _done(work.execute(statement))
        assert "example" not in str(caught.value)
    assert stored(raw) == []


async def test_a_value_that_was_moved_to_another_row_does_not_open(db: Any, raw: Connection) -> None:
    people = db.repository(Person)
    ada, bob = await people.insert(email="ada@example.org", note="a"), await people.insert(email="bob@example.org", note="b")
    raw.execute("UPDATE people SET note = other.note FROM people AS other WHERE people.id = %s AND other.id = %s", (ada, bob))
    row = await people.get_one(ada)
    assert row.email == "ada@example.org"
    with pytest.raises(CannotOpen):
        print(row.note)
    async with db.transaction() as work:
        found = (await _done(work.scalars(select(Person).where(Person.id == ada)))).one()
        with pytest.raises(CannotOpen):
            print(found.note)


async def test_a_column_that_is_still_clear_text_is_named_and_not_shown(db: Any, raw: Connection) -> None:
    await db.repository(Person).insert(email="ada@example.org", note="a")
    raw.execute("ALTER TABLE people ALTER note TYPE text USING 'to ada@example.org'")
    try:
        with pytest.raises(CannotOpen, match=r"people\.note is clear text in this database") as caught:
            await db.repository(Person).page(limit=2)
    finally:
        raw.execute("ALTER TABLE people ALTER note TYPE bytea USING NULL")
    assert "security encrypt people.note" in str(caught.value.hint)
    assert "ada@" not in str(caught.value)


@ONE
async def test_a_handle_without_keys_reads_the_rest_and_writes_nothing(db: Any, people: Url, open_db: Opener) -> None:
    key = await db.repository(Person).insert(email="ada@example.org", city="London")
    keyless = (await open_db(people, keys=None)).repository(Person)
    row = await keyless.get_one(key)
    assert row.city == "London"
    with pytest.raises(UnknownKey):
        print(row.email)
    with pytest.raises(ConfigError) as caught:
        await keyless.insert(email="x@example.org")
    assert "keys=" in caught.value.hint
    with pytest.raises(ConfigError):
        await keyless.filter(Person.email == "x@example.org")


@ONE
async def test_ids_come_from_the_client_in_the_tables_own_kind(db: Any) -> None:
    letters, parcels = db.repository(Letter), db.repository(Parcel)
    keys = [await letters.insert(body=f"{n}") for n in range(3)]
    assert [key.version for key in keys] == [7, 7, 7]
    assert (await db.repository(Person).insert(email="a@example.org")).version == 4
    with pytest.raises(UsageError):
        await parcels.insert(label="x")
    await parcels.insert(id=7, label="x")
    assert (await parcels.get_one(7)).label == "x"


def test_the_struct_of_a_row_has_sealed_fields_and_clear_properties() -> None:
    row = row_class(Person)
    assert row.__struct_fields__ == ("id", "email_sealed", "phone_sealed", "note_sealed", "city", "version")
    assert isinstance(vars(row)["email"], property)


def test_a_declaration_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(UsageError):
        Encrypted(index="soundex")
    with pytest.raises(UsageError):
        Encrypted(unique=True)

    class Pair(Base):
        __tablename__ = "pairs"
        left: Mapped[int] = mapped_column(primary_key=True)
        right: Mapped[int] = mapped_column(primary_key=True)
        plain: Mapped[str]

    assert isinstance(KEYS, KeyRing)
    with pytest.raises(UsageError):

        class Broken(Base):
            __tablename__ = "broken"
            left: Mapped[int] = mapped_column(primary_key=True)
            right: Mapped[int] = mapped_column(primary_key=True)
            body: Mapped[str] = Encrypted(index="exact")
