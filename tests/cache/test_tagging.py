"""Results tagged by the values of columns that a model declares: a write that knows them touches no others."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from pgkeel import access
from pgkeel.cache import Cache, tag
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.schema.caching import Row
from pgkeel.schema.encrypted import Encrypted
from pgkeel.testing.keys import ring_for_tests
from tests.cache.conftest import SECRET, rely, trust

Database: Any = access.Database


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    __mapper_args__ = {"version_id_col": None}  # noqa: RUF012 - SQLAlchemy's
    cache = Row(tags=("owner",))
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    owner: Mapped[UUID]
    title: Mapped[str] = mapped_column(server_default="")


class Guarded(Base):
    __tablename__ = "guarded"
    cache = Row(tags=("owner",))
    id: Mapped[int] = mapped_column(sqlalchemy.BigInteger, sqlalchemy.Identity(), primary_key=True)
    owner: Mapped[UUID]
    version: Mapped[int] = mapped_column(server_default="1")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's


class Person(Base):
    __tablename__ = "persons"
    cache = Row(tags=("email",))
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    email: Mapped[str] = Encrypted(index="exact")


@pytest.fixture
async def cache(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        yield cache


@pytest.fixture(scope="module")
def place(cluster_of: Callable[[str], Cluster]) -> Iterator[Url]:
    cluster = cluster_of("17")
    cluster.create_database("tagging")
    url = cluster.superuser_url("tagging")
    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
    with connect(url) as connection:
        up(connection, [PGKEEL])
        for table in Base.metadata.sorted_tables:
            connection.execute(str(CreateTable(table).compile(dialect=dialect)))
    yield url
    cluster.drop_database("tagging")


@pytest.fixture
async def db(place: Url, cache: Cache) -> AsyncIterator[Any]:
    async with Database(place, cache=cache, keys=ring_for_tests()) as db:
        for model, nobody in ((Note, UUID(int=0)), (Guarded, 0), (Person, UUID(int=0))):
            await db.repository(model).get(nobody)
        await trust(cache)
        await rely(cache)
        yield db


def counted(db: Any, cache: Cache, model: Any, column: str) -> tuple[Any, list[object]]:
    """A cached function that counts the rows with a value, and for which values the database was asked."""
    asked: list[object] = []

    @cache.cached(tags=lambda value: [db.tag(model, **{column: value})], name=model.__name__)
    async def count(value: object) -> int:
        asked.append(value)
        return int(await db.repository(model).count(getattr(model, column) == value))

    return count, asked


async def test_a_new_row_touches_results_of_its_value_only(db: Any, cache: Cache) -> None:
    count, asked = counted(db, cache, Note, "owner")
    ada, grace = uuid4(), uuid4()
    assert [await count(ada), await count(grace)] == [0, 0]
    await db.repository(Note).insert(owner=ada)
    assert [await count(ada), await count(grace), await count(ada)] == [1, 0, 1]
    assert asked == [ada, grace, ada]


async def test_a_write_of_which_the_value_is_not_known_touches_all_values(db: Any, cache: Cache) -> None:
    count, asked = counted(db, cache, Note, "owner")
    ada, grace = uuid4(), uuid4()
    key = await db.repository(Note).insert(owner=ada)
    assert [await count(ada), await count(grace)] == [1, 0]
    await db.repository(Note).update(key, version=None, owner=grace)
    assert [await count(ada), await count(grace)] == [0, 1]
    await db.sql("DELETE FROM notes", writes=["notes"])
    assert [await count(ada), await count(grace)] == [0, 0]
    async with db.transaction() as tx:
        tx.add(Note(owner=ada))
        await tx.flush()
        (await tx.get_one(Note, (await tx.scalars(sqlalchemy.select(Note))).one().id)).title = "x"
    assert [await count(ada), await count(grace)] == [1, 0]
    assert len(asked) == 8


async def test_many_new_rows_touch_results_of_their_values_only(db: Any, cache: Cache) -> None:
    count, asked = counted(db, cache, Note, "owner")
    ada, grace, joan = uuid4(), uuid4(), uuid4()
    assert [await count(one) for one in (ada, grace, joan)] == [0, 0, 0]
    await db.repository(Note).insert_many_returning([{"owner": ada}, {"owner": joan}, {"owner": ada}])
    assert [await count(one) for one in (ada, grace, joan)] == [2, 0, 1]
    assert asked == [ada, grace, joan, ada, joan]


async def moved_in_a_transaction(db: Any, key: UUID, to: UUID) -> None:
    async with db.transaction() as tx:
        (await tx.get_one(Note, key)).owner = to


async def deleted_in_a_transaction(db: Any, key: UUID, _: UUID) -> None:
    async with db.transaction() as tx:
        await tx.delete(await tx.get_one(Note, key))


def within(work: Callable[..., Any]) -> Callable[..., Any]:
    async def inside(db: Any, key: UUID, to: UUID) -> None:
        async with db.transaction() as tx:
            await work(tx, key, to)

    return inside


async def added(tx: Any, _: UUID, to: UUID) -> None:
    tx.add(Note(owner=to))


def both_forms(name: str, work: Callable[..., Any], left: tuple[int, int]) -> list[Any]:
    return [pytest.param(work, left, id=name), pytest.param(within(work), left, id=f"{name} in a transaction")]


PATHS = [
    *both_forms("insert", lambda db, _, to: db.repository(Note).insert(owner=to), (1, 1)),
    *both_forms("insert_row", lambda db, _, to: db.repository(Note).insert_row(owner=to), (1, 1)),
    *both_forms("insert_many", lambda db, _, to: db.repository(Note).insert_many([{"owner": to}]), (1, 1)),
    pytest.param(lambda db, _, to: db.repository(Note).insert_valid([{"owner": to}]), (1, 1), id="insert_valid"),
    *both_forms("insert_many_returning", lambda db, _, to: db.repository(Note).insert_many_returning([{"owner": to}]), (1, 1)),
    *both_forms("upsert_many", lambda db, key, to: db.repository(Note).upsert_many([{"id": key, "owner": to}]), (0, 1)),
    *both_forms("update", lambda db, key, to: db.repository(Note).update(key, version=None, owner=to), (0, 1)),
    *both_forms("update_many", lambda db, key, to: db.repository(Note).update_many([{"id": key, "owner": to}]), (0, 1)),
    *both_forms("delete", lambda db, key, _: db.repository(Note).delete(key), (0, 0)),
    *both_forms("delete_many", lambda db, key, _: db.repository(Note).delete_many([key]), (0, 0)),
    *both_forms("sql that says so", lambda db, *_: db.sql("DELETE FROM notes", writes=["notes"]), (0, 0)),
    *both_forms("sql that does not", lambda db, *_: db.sql("DELETE FROM notes"), (0, 0)),
    pytest.param(within(added), (1, 1), id="a new object"),
    pytest.param(moved_in_a_transaction, (0, 1), id="a changed object"),
    pytest.param(deleted_in_a_transaction, (0, 0), id="a deleted object"),
    pytest.param(within(lambda tx, _, to: tx.execute(sqlalchemy.insert(Note).values(owner=to))), (1, 1), id="INSERT"),
    pytest.param(within(lambda tx, _, to: tx.execute(sqlalchemy.update(Note).values(owner=to))), (0, 1), id="UPDATE"),
    pytest.param(within(lambda tx, *_: tx.execute(sqlalchemy.delete(Note))), (0, 0), id="DELETE"),
]


class Older(DeclarativeBase):
    pass


class OlderNote(Older):
    __tablename__ = "notes"
    cache = Row()
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    owner: Mapped[UUID]
    title: Mapped[str] = mapped_column(server_default="")


@pytest.mark.parametrize("is_older_first", [True, False])
async def test_a_process_that_declares_no_column_yet_is_seen_by_one_that_does_and_sees_it(
    db: Any, cache: Cache, valkey_db: CacheUrl, place: Url, *, is_older_first: bool
) -> None:
    ada = uuid4()
    async with Cache(valkey_db, secret=SECRET) as its, Database(place, cache=its, keys=ring_for_tests()) as older:
        await older.repository(OlderNote).get(UUID(int=0))
        newer, old = counted(db, cache, Note, "owner")[0], counted(older, its, OlderNote, "owner")[0]
        first, second = ((older, OlderNote), (db, Note)) if is_older_first else ((db, Note), (older, OlderNote))
        assert [await newer(ada), await old(ada)] == [0, 0]
        key = await first[0].repository(first[1]).insert(owner=ada)
        assert [await newer(ada), await old(ada)] == [1, 1]
        await second[0].repository(second[1]).insert(owner=ada)
        assert [await newer(ada), await old(ada)] == [2, 2]
        await first[0].repository(first[1]).delete(key)
        assert [await newer(ada), await old(ada)] == [1, 1]


@pytest.mark.parametrize(("write", "left"), PATHS)
async def test_no_way_to_write_leaves_a_result_of_a_value_old(
    db: Any, cache: Cache, write: Callable[..., Any], left: tuple[int, int]
) -> None:
    count, _ = counted(db, cache, Note, "owner")
    ada, grace = uuid4(), uuid4()
    await db.sql("DELETE FROM notes", writes=["notes"])
    key = await db.repository(Note).insert(owner=ada)
    assert [await count(one) for one in (ada, grace) * 2] == [1, 0] * 2
    await write(db, key, grace)
    assert [await count(one) for one in (ada, grace)] == list(left)


async def test_a_guarded_object_that_moves_touches_its_old_value_and_its_new_one(db: Any, cache: Cache) -> None:
    count, asked = counted(db, cache, Guarded, "owner")
    ada, grace, joan = uuid4(), uuid4(), uuid4()
    async with db.transaction() as tx:
        tx.add(Guarded(owner=ada, version=1))
    assert [await count(one) for one in (ada, grace, joan)] == [1, 0, 0]
    async with db.transaction() as tx:
        (await tx.scalars(sqlalchemy.select(Guarded))).one().owner = grace
    assert [await count(one) for one in (ada, grace, joan)] == [0, 1, 0]
    assert asked == [ada, grace, joan, ada, grace]


async def test_a_tag_of_a_column_that_is_not_declared_and_of_two_columns_is_right_too(db: Any, cache: Cache) -> None:
    ada = uuid4()

    @cache.cached(tags=lambda title: [tag("notes", title=title)])
    async def titled(title: str) -> int:
        return int(await db.repository(Note).count(Note.title == title))

    @cache.cached(tags=lambda owner, title: [db.tag(Note, owner=owner, title=title)])
    async def both(owner: UUID, title: str) -> int:
        return int(await db.repository(Note).count(Note.owner == owner, Note.title == title))

    assert [await titled("y"), await both(ada, "y")] == [0, 0]
    await db.repository(Note).insert(owner=ada, title="y")
    assert [await titled("y"), await both(ada, "y")] == [1, 1]


async def test_a_tag_of_an_encrypted_column_uses_its_blind_index(db: Any, cache: Cache) -> None:
    count, asked = counted(db, cache, Person, "email")
    assert [await count("ada@example.org"), await count("grace@example.org")] == [0, 0]
    await db.repository(Person).insert(email="ada@example.org")
    assert [await count("ada@example.org"), await count("grace@example.org")] == [1, 0]
    assert len(asked) == 3
    assert "ada" not in repr(db.tag(Person, email="ada@example.org"))


async def test_a_tag_of_what_is_not_there_or_of_another_type_is_refused(db: Any) -> None:
    with pytest.raises(UsageError, match="no column"):
        db.tag(Note, nobody=1)
    with pytest.raises(UsageError, match="cannot be a tag"):
        db.tag(Note, owner="no uuid")
    with pytest.raises(UsageError, match="encrypted"):
        db.tag(Person, email=7)
    assert db.tag(Note, owner=str(UUID(int=7))) == tag("notes", owner=UUID(int=7))
