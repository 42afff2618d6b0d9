"""A cache bound to a database handle: repositories read through it, and every door announces its writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
import sqlalchemy
from sqlalchemy import ForeignKey
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgkeel import access
from pgkeel.access import AlreadyExists, Page
from pgkeel.access.sealing import bound_rows
from pgkeel.access.shape import shape_of
from pgkeel.access.sync import Database as PlainDatabase
from pgkeel.access.touched import Touched as Written
from pgkeel.cache import Cache
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.cipher import Sealed
from pgkeel.core.errors import ConfigError, Unreachable
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.schema.caching import Row
from pgkeel.schema.encrypted import Encrypted
from pgkeel.testing.keys import ring_for_tests
from tests.cache.conftest import SECRET, Threaded, run_now, trust

Database: Any = access.Database
SyncDatabase: Any = PlainDatabase


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelves"
    cache = Row(ttl="5m")
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list["Book"]] = relationship(lazy="selectin", passive_deletes="all")


class Book(Base):
    __tablename__ = "books"
    cache = Row(ttl="5m")
    id: Mapped[int] = mapped_column(sqlalchemy.BigInteger, sqlalchemy.Identity(), primary_key=True)
    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"))
    title: Mapped[str]


class Reader(Base):
    __tablename__ = "readers"
    cache = Row(ttl="5m")
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    email: Mapped[str] = Encrypted()


class Theme(Base):
    __tablename__ = "themes"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship(secondary="book_themes", lazy="selectin")


book_themes = sqlalchemy.Table(
    "book_themes",
    Base.metadata,
    sqlalchemy.Column("book_id", ForeignKey("books.id"), primary_key=True),
    sqlalchemy.Column("theme_id", ForeignKey("themes.id"), primary_key=True),
)


class Happening(Base):
    __tablename__ = "happenings"
    cache = Row(ttl="5m")
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sqlalchemy.func.gen_random_uuid())
    day: Mapped[date] = mapped_column(primary_key=True)
    note: Mapped[str]


class Label(Base):
    __tablename__ = "labels"
    cache = Row(ttl="5m")
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True, server_default="")


class Sticker(Base):
    __tablename__ = "stickers"
    cache = Row(ttl="5m")
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(ForeignKey("labels.code", onupdate="CASCADE"))
    named: Mapped[str | None] = mapped_column(ForeignKey("labels.name", onupdate="SET NULL"))


@pytest.fixture
def library(empty_db: Url) -> Url:
    with connect(empty_db) as connection:
        up(connection, [PGKEEL])
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connect(empty_db))
    with connect(empty_db) as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(str(sqlalchemy.schema.CreateTable(table).compile(dialect=engine.dialect)))
    engine.dispose()
    return empty_db


@pytest.fixture
async def cache(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        yield cache


@pytest.fixture
async def db(library: Url, cache: Cache) -> AsyncIterator[Any]:
    async with Database(library, cache=cache) as db:
        await db.repository(Book).get(0)  # the first read tells the cache of the epoch
        await trust(cache)
        yield db


async def _add(tx: Any) -> None:
    tx.add(Shelf(name="c"))


async def test_a_row_is_read_from_the_cache_and_a_write_is_seen_at_once(db: Any, cache: Cache) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")
    hits = cache.figures.hits
    assert [(await shelves.get_one(key)).name for _ in range(3)] == ["a"] * 3
    assert cache.figures.hits == hits + 2
    await shelves.update(key, version=None, name="b")
    assert [(await shelves.get_one(key)).name for _ in range(2)] == ["b"] * 2
    assert await shelves.delete(key)
    assert await shelves.get(key) is None


async def test_results_of_a_table_with_an_encrypted_column_are_sealed_without_being_told(library: Url, cache: Cache) -> None:
    asked = 0

    @cache.cached(tags="readers", ttl="5m")  # before the database is bound, and one tag alone
    async def addresses() -> list[str]:
        nonlocal asked
        asked += 1
        return [one.email for one in await readers.filter()]

    async with Database(library, cache=cache, keys=ring_for_tests()) as db:
        readers = db.repository(Reader)
        await readers.get(UUID(int=0))
        await trust(cache)
        await readers.insert(email="ada@example.org")
        assert [await addresses(), await addresses()] == [["ada@example.org"]] * 2
        assert asked == 1
        names = await cache.client.call("KEYS", "*")
        kept = [await cache.client.call("DUMP", name) or b"" for name in names]
        assert not any(b"ada@example.org" in value for value in kept)
        await readers.insert(email="bob@example.org")
        assert len(await addresses()) == 2


async def test_rows_in_a_cached_result_open_wherever_they_stand(library: Url, cache: Cache) -> None:
    async with Database(library, cache=cache, keys=ring_for_tests()) as db:
        readers = db.repository(Reader)
        row: Any = type(await readers.get(await readers.insert(email="ada@example.org")))

        @cache.cached(tags="readers", ttl="5m", name="listed")
        async def listed() -> list[row]:
            return list(await readers.filter())

        @cache.cached(tags="readers", ttl="5m", name="paged")
        async def paged() -> tuple[Page[row], dict[str, row]]:
            page = await readers.page(limit=5)
            return page, {"first": page.rows[0]}

        await trust(cache)
        hits = cache.figures.hits
        for _ in range(2):
            page, named = await paged()
            assert [one.email for one in (*await listed(), *page.rows, named["first"])] == ["ada@example.org"] * 3
        assert cache.figures.hits == hits + 2


def test_rows_of_another_schema_open_by_the_name_that_they_were_sealed_under() -> None:
    class Apart(DeclarativeBase):
        pass

    class Note(Apart):
        __tablename__ = "notes"
        __table_args__ = {"schema": "shop"}  # noqa: RUF012 - as SQLAlchemy wants it
        id: Mapped[UUID] = mapped_column(primary_key=True)
        body: Mapped[str] = Encrypted()

    keys, key, model = ring_for_tests(), UUID(int=7), cast("Any", Note)
    row = shape_of(model).row(id=key, body_sealed=Sealed(keys.field("shop.notes", "body").seal(key, b"clear")))
    assert bound_rows([row], keys)[0].body == "clear"


async def test_encrypted_fields_lie_sealed_in_the_cache_and_open_when_they_come_out_of_it(library: Url, cache: Cache) -> None:
    async with Database(library, cache=cache, keys=ring_for_tests()) as db:
        readers = db.repository(Reader)
        await readers.get(UUID(int=0))
        await trust(cache)
        key = await readers.insert(email="ada@example.org")
        await readers.get_one(key)
        hits = cache.figures.hits

        kept = await readers.get_one(key)

        assert cache.figures.hits == hits + 1
        assert kept.email == "ada@example.org"
    names = await cache.client.call("KEYS", "*")
    kept_values = [await cache.client.call("DUMP", name) or b"" for name in names]
    assert kept_values
    assert not any(b"ada@example.org" in value for value in kept_values)


async def test_a_row_that_was_missed_is_found_once_it_is_inserted(db: Any) -> None:
    shelf = await db.repository(Shelf).insert(name="a")
    books = db.repository(Book)
    assert [await books.get(1) for _ in range(2)] == [None, None]
    assert await books.insert(shelf_id=shelf, title="x") == 1
    found = await books.get(1)
    assert found is not None
    assert found.title == "x"


async def test_a_refused_write_leaves_nothing_behind(db: Any, cache: Cache) -> None:
    shelves = db.repository(Shelf)
    first, second = await shelves.insert(name="a"), await shelves.insert(name="b")
    with pytest.raises(AlreadyExists):
        await shelves.update(second, version=None, name="a")
    hits = cache.figures.hits
    assert [(await shelves.get_one(key)).name for key in (first, second, first, second)] == ["a", "b", "a", "b"]
    assert cache.figures.hits == hits + 2


async def test_a_unit_of_work_announces_what_it_wrote(db: Any) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")
    await shelves.get(key)
    async with db.transaction() as tx:
        found = await tx.get(Shelf, key)
        assert found is not None
        found.name = "b"
        await tx.flush()
        inside = await tx.repository(Shelf).get(key)
        assert inside is not None
        assert inside.name == "b"
        assert (await shelves.get_one(key)).name == "a"
    assert (await shelves.get_one(key)).name == "b"


async def test_a_unit_of_work_that_is_undone_changes_nothing(db: Any) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")

    async def undone() -> None:
        async with db.transaction() as tx:
            await tx.repository(Shelf).update(key, version=None, name="b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert (await shelves.get_one(key)).name == "a"


async def test_rows_that_a_cascade_deletes_are_gone(db: Any) -> None:
    shelf = await db.repository(Shelf).insert(name="a")
    books = db.repository(Book)
    key = await books.insert(shelf_id=shelf, title="x")
    await books.get(key)
    assert await db.repository(Shelf).delete(shelf)
    assert await books.get(key) is None
    shelf = await db.repository(Shelf).insert(name="a")
    key = await books.insert(shelf_id=shelf, title="x")
    await books.get(key)
    async with db.transaction() as tx:
        await tx.delete(await tx.get_one(Shelf, shelf))
    assert await books.get(key) is None


async def test_bulk_and_handwritten_writes_are_seen(db: Any) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")

    async def name() -> str:
        read = [(await shelves.get_one(key)).name for _ in range(2)]
        return str(read[1])

    assert await name() == "a"
    await shelves.update_many([{"id": key, "name": "b"}])
    assert await name() == "b"
    await shelves.upsert_many([{"id": key, "name": "c"}])
    assert await name() == "c"
    await db.sql("UPDATE shelves SET name = 'd'", writes=["shelves"])
    assert await name() == "d"
    await db.sql("UPDATE shelves SET name = 'e'")
    assert await name() == "e"
    async with db.transaction() as tx:
        await tx.execute(sqlalchemy.update(Shelf).values(name="f"))
    assert await name() == "f"
    async with db.transaction() as tx:
        await tx.sql("UPDATE shelves SET name = 'g'")
    assert await name() == "g"


async def test_results_of_queries_follow_the_writes_of_repositories(db: Any, cache: Cache) -> None:
    asked: list[int] = []

    @cache.cached(tags=["books"], ttl="5m")
    async def titles() -> list[str]:
        asked.append(1)
        return [row["title"] for row in await db.sql("SELECT title FROM books ORDER BY title")]

    shelf = await db.repository(Shelf).insert(name="a")
    assert [await titles(), await titles()] == [[], []]
    await db.repository(Book).insert(shelf_id=shelf, title="x")
    assert [await titles(), await titles()] == [["x"], ["x"]]
    await db.repository(Book).insert_many([{"shelf_id": shelf, "title": "y"}])
    assert await titles() == ["x", "y"]
    assert len(asked) == 3


async def test_a_row_by_its_key_comes_from_the_row_cache_also_where_results_are_kept(db: Any, cache: Cache) -> None:
    shelves = db.repository(Shelf)
    key, other = await shelves.insert(name="a"), await shelves.insert(name="b")
    await shelves.get(key)
    hits = cache.figures.hits
    assert (await shelves.cached().get_one(key)).name == "a"
    assert cache.figures.hits == hits + 1
    await shelves.update(other, version=None, name="c")
    assert (await shelves.cached(stale="1m").get_one(key)).name == "a"
    assert cache.figures.hits == hits + 2
    assert "Shelf.get" not in cache._reader.tallies.by_label
    await shelves.cached().filter()
    assert "Shelf.filter" in cache._reader.tallies.by_label


async def test_with_deleted_and_units_of_work_do_not_read_the_cache(db: Any, cache: Cache) -> None:
    key = await db.repository(Shelf).insert(name="a")
    before = cache.figures.hits + cache.figures.misses
    await db.repository(Shelf).with_deleted().get(key)
    async with db.transaction() as tx:
        await tx.repository(Shelf).get(key)
    assert cache.figures.hits + cache.figures.misses == before


@pytest.mark.faults
async def test_without_a_cache_a_write_begins_an_epoch_or_fails(library: Url, valkey_db: CacheUrl) -> None:

    away = msgspec.structs.replace(valkey_db, port=1)
    async with Cache(away, secret=SECRET) as cache, Database(library, cache=cache) as db:
        before = (await db.sql("SELECT epoch FROM pgkeel.cache_epoch", into=int))[0]
        key = await db.repository(Shelf).insert(name="a")
        assert (await db.repository(Shelf).get_one(key)).name == "a"
        assert (await db.sql("SELECT epoch FROM pgkeel.cache_epoch", into=int))[0] > before
        assert cache.figures.dirty == 1
    async with Cache(away, secret=SECRET, on_outage="closed") as cache, Database(library, cache=cache) as db:
        with pytest.raises(Unreachable):
            await db.repository(Shelf).insert(name="b")
        with pytest.raises(Unreachable):
            await db.run(_add)
        assert await db.repository(Shelf).count() == 1


async def test_a_process_serves_nothing_of_an_epoch_that_ended(library: Url, valkey_db: CacheUrl) -> None:
    short = timedelta(milliseconds=20)
    async with Cache(valkey_db, secret=SECRET, epoch_check=short) as cache, Database(library, cache=cache) as db:
        key = await db.repository(Shelf).insert(name="a")
        await db.repository(Shelf).get(key)
        await trust(cache)
        assert [(await db.repository(Shelf).get_one(key)).name for _ in range(2)] == ["a", "a"]
        with connect(library) as connection:
            connection.execute("SELECT pgkeel.cache_dirty()")
            connection.execute("UPDATE shelves SET name = 'b'")
        await asyncio.sleep(0.03)
        assert (await db.repository(Shelf).get_one(key)).name == "b"


async def test_a_database_without_the_ledger_is_refused(empty_db: Url, cache: Cache) -> None:
    with pytest.raises(ConfigError, match="cache_epoch"):
        async with Database(empty_db, cache=cache):
            pass


def test_the_sync_form_reads_and_announces_too(library: Url, valkey_db: CacheUrl) -> None:
    with SyncCache(valkey_db, secret=SECRET) as cache, SyncDatabase(library, cache=cache) as db:
        shelves = db.repository(Shelf)
        key = shelves.insert(name="a")
        shelves.get(key)
        run_now(trust(Threaded(cache)))
        assert [shelves.get_one(key).name for _ in range(3)] == ["a"] * 3
        assert cache.figures.hits == 2
        shelves.update(key, version=None, name="b")
        assert shelves.get_one(key).name == "b"
        with db.transaction() as tx:
            tx.get_one(Shelf, key).name = "c"
        assert shelves.get_one(key).name == "c"


async def _by_core(db: Any, **fields: Any) -> None:
    async with db.transaction() as tx:
        await tx.execute(sqlalchemy.update(Label).where(Label.code == "old").values(**fields))


async def _by_upsert(db: Any, **fields: Any) -> None:
    async with db.transaction() as tx:
        insert = postgresql.insert(Label).values(code="old", name="old name")
        await tx.execute(insert.on_conflict_do_update(index_elements=["code"], set_=fields))


async def _by_object(db: Any, **fields: Any) -> None:
    async with db.transaction() as tx:
        label = await tx.get_one(Label, "old")
        for name, value in fields.items():
            setattr(label, name, value)


RENAMES: dict[str, Callable[..., Awaitable[Any]]] = {
    "update": lambda db, **fields: db.repository(Label).update("old", version=None, **fields),
    "core": _by_core,
    "core_upsert": _by_upsert,
    "object": _by_object,
}


@pytest.mark.parametrize("by", RENAMES)
@pytest.mark.parametrize("field", ["code", "name"])
async def test_rows_that_follow_a_changed_key_are_seen(db: Any, by: str, field: str) -> None:
    labels, stickers = db.repository(Label), db.repository(Sticker)
    await labels.insert_row(code="old", name="old name")
    await stickers.insert_row(id=1, label="old", named="old name")
    assert [(await stickers.get_one(1)).label for _ in range(2)] == ["old"] * 2
    await RENAMES[by](db, **{field: "new"})
    row = await stickers.get_one(1)
    assert (row.label, row.named) == (("new", "old name") if field == "code" else ("old", None))


async def test_rows_that_follow_what_is_changed_many_at_once_are_seen(db: Any) -> None:
    labels, stickers = db.repository(Label), db.repository(Sticker)
    await labels.insert_row(code="old", name="old name")
    await stickers.insert_row(id=1, label="old", named="old name")
    await stickers.get_one(1)
    await labels.upsert_many([{"code": "old", "name": "new"}], on="code")
    assert (await stickers.get_one(1)).named is None


async def test_an_object_that_gets_another_key_is_not_found_under_the_old_one(db: Any) -> None:
    labels = db.repository(Label)
    await labels.insert_row(code="old")
    await labels.get_one("old")
    async with db.transaction() as tx:
        (await tx.get_one(Label, "old")).code = "new"
    assert await labels.get("old") is None


async def test_links_that_an_object_writes_between_two_tables_are_seen(db: Any, cache: Cache) -> None:
    @cache.cached(tags="book_themes", ttl="5m")
    async def links() -> int:
        return int((await db.sql("SELECT count(*) FROM book_themes", into=int))[0])

    shelf = await db.repository(Shelf).insert(name="a")
    book = await db.repository(Book).insert(shelf_id=shelf, title="x")
    await db.repository(Theme).insert_row(id=1)
    assert [await links(), await links()] == [0, 0]
    async with db.transaction() as tx:
        theme = await tx.get_one(Theme, 1)
        theme.books.append(await tx.get_one(Book, book))
    assert await links() == 1
    async with db.transaction() as tx:
        theme = await tx.get_one(Theme, 1)
        theme.books.clear()
    assert await links() == 0
    async with db.transaction() as tx:
        tx.add(Theme(id=2, books=[await tx.get_one(Book, book)]))
    assert await links() == 1


async def test_a_row_that_moves_to_another_parents_collection_is_seen(db: Any) -> None:
    first, second = [await db.repository(Shelf).insert(name=name) for name in "ab"]
    books = db.repository(Book)
    key = await books.insert(shelf_id=first, title="x")
    assert [(await books.get_one(key)).shelf_id for _ in range(2)] == [first] * 2
    async with db.transaction() as tx:
        shelf, book = await tx.get_one(Shelf, second), await tx.get_one(Book, key)
        shelf.books.append(book)
    assert (await books.get_one(key)).shelf_id == second


async def _on_the_connection(tx: Any, change: Any) -> None:
    await (await tx.connection()).execute(change)


async def _as_text_on_the_connection(tx: Any, change: Any) -> None:
    del change
    await (await tx.connection()).exec_driver_sql("UPDATE shelves SET name = 'b'")


async def _as_text(tx: Any, change: Any) -> None:
    del change
    await tx.execute(sqlalchemy.text("UPDATE shelves SET name = 'b'"))


async def _as_mappings(tx: Any, change: Any) -> None:
    del change
    row = (await tx.execute(sqlalchemy.select(Shelf.id))).scalars().one()
    await tx.run_sync(lambda session: session.bulk_update_mappings(Shelf, [{"id": row, "name": "b"}]))


async def _behind_a_flush_that_failed(tx: Any, change: Any) -> None:
    nested = await tx.begin_nested()
    tx.add(Shelf(name="a"))
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        await tx.flush()
    await nested.rollback()
    await (await tx.connection()).execute(change)


async def _inside_a_select(tx: Any, change: Any) -> None:
    await tx.execute(sqlalchemy.select(change.returning(Shelf.id).cte("changed")))


async def _beside_a_select(tx: Any, change: Any) -> None:
    await tx.execute(sqlalchemy.select(Book.id).add_cte(change.returning(Shelf.id).cte("changed")))


async def _beside_another_write(tx: Any, change: Any) -> None:
    await tx.execute(sqlalchemy.delete(Label).add_cte(change.returning(Shelf.id).cte("changed")))


@pytest.mark.parametrize(
    "write",
    [
        _on_the_connection,
        _as_text_on_the_connection,
        _as_text,
        _as_mappings,
        _behind_a_flush_that_failed,
        _inside_a_select,
        _beside_a_select,
        _beside_another_write,
    ],
)
async def test_no_way_to_write_through_sqlalchemy_leaves_a_row_old(db: Any, write: Callable[..., Awaitable[None]]) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")
    assert [(await shelves.get_one(key)).name for _ in range(2)] == ["a"] * 2
    async with db.transaction() as tx:
        await write(tx, sqlalchemy.update(Shelf).values(name="b"))
    assert (await shelves.get_one(key)).name == "b"


async def test_a_unit_of_work_that_reads_announces_nothing(db: Any, cache: Cache) -> None:
    await db.repository(Shelf).insert(name="a")
    before = cache.figures.marks
    async with db.transaction(isolation="repeatable read", read_only=True) as tx:
        await tx.scalars(sqlalchemy.select(Shelf))
    async with db.transaction() as tx:
        async with tx.begin_nested():
            await tx.scalars(sqlalchemy.select(sqlalchemy.select(Shelf).cte("some")))
        await (await tx.connection()).execute(sqlalchemy.text("SELECT 1"))
        await tx.sql("SELECT name FROM shelves FOR NO KEY UPDATE")
        await tx.scalars(sqlalchemy.select(Shelf).with_for_update())
    assert cache.figures.marks == before


async def test_what_a_listener_writes_while_objects_are_flushed_is_seen(db: Any) -> None:
    shelves = db.repository(Shelf)
    key = await shelves.insert(name="a")
    await shelves.get_one(key)
    async with db.transaction() as tx:

        def write(session: Any, *_: object) -> None:
            session.execute(sqlalchemy.update(Shelf).values(name="b").execution_options(synchronize_session=False))

        sqlalchemy.event.listen(tx.sync_session, "before_flush", write, once=True)
        tx.add(Label(code="x"))
    assert (await shelves.get_one(key)).name == "b"


async def test_objects_whose_id_is_not_the_whole_primary_key_are_announced(db: Any, cache: Cache) -> None:
    happenings, day = db.repository(Happening), date(2026, 11, 27)
    first = await happenings.insert_row(day=day, note="a")
    assert [(await happenings.get_one(first.id)).note for _ in range(2)] == ["a"] * 2
    async with db.transaction() as tx:
        tx.add(Happening(day=day, note="another"))
    hits = cache.figures.hits
    assert (await happenings.get_one(first.id)).note == "a"
    assert cache.figures.hits == hits + 1
    async with db.transaction() as tx:
        (await tx.get_one(Happening, (first.id, day))).note = "b"
    assert (await happenings.get_one(first.id)).note == "b"
    async with db.transaction() as tx:
        await tx.delete(await tx.get_one(Happening, (first.id, day)))
    assert await happenings.get(first.id) is None


@pytest.mark.parametrize(
    ("text", "may_write"),
    [
        ("SELECT 1", False),
        ("-- a comment\n  (SELECT 1)", False),
        ("SELECT updated_at, do_not FROM posts WHERE id = 1 FOR UPDATE", False),
        ("SELECT 1 FROM posts FOR NO KEY  UPDATE SKIP LOCKED", False),
        ("WITH some AS (SELECT 1) TABLE some", False),
        ("EXPLAIN SELECT 1", False),
        ("WITH gone AS(DELETE FROM posts RETURNING 1)SELECT 1", True),
        ("WITH x AS (\nUPDATE posts SET title = '' RETURNING 1) SELECT 1 FOR UPDATE", True),
        ("explain analyze insert into posts default values", True),
        ("TRUNCATE posts", True),
        ("CALL clean()", True),
        ("DO $$ BEGIN END $$", True),
        ("MERGE INTO posts USING x ON true WHEN MATCHED THEN DELETE", True),
    ],
)
def test_a_text_that_may_write_is_told_from_one_that_reads(text: str, may_write: bool) -> None:
    written = Written()
    written.handwritten(text, None)
    assert bool(written) is may_write


async def test_a_cache_is_not_shared_by_two_databases(db: Any, cache: Cache, cluster: Cluster, library: Url) -> None:
    again = Database(library, cache=cache)
    await again.open()
    cluster.create_database("another", template="template0")
    try:
        with connect(library.with_database("another")) as connection:
            up(connection, [PGKEEL])
        with pytest.raises(ConfigError, match="another database"):
            await Database(library.with_database("another"), cache=cache).open()
        reads = db.repository(Shelf)
        key = await reads.insert(name="a")
        hits = cache.figures.hits
        assert [(await reads.get_one(key)).name for _ in range(2)] == ["a"] * 2
        assert cache.figures.hits == hits + 1
    finally:
        cluster.drop_database("another")
        await again.close()
