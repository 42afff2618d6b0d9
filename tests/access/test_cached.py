"""Reads of repositories through the cache: every kind is kept, each write of a table that stands in it is seen, and no text."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy
from sqlalchemy import func, literal_column, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.schema import CreateTable

from pgkeel.access.counting import expect
from pgkeel.cache import Cache
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.schema.models import Comment, Post, Role, User, UserRole
from tests.access.conftest import done
from tests.access.people import new_user
from tests.cache.conftest import SECRET, Threaded, trust

Reads = Callable[[Any], Awaitable[Any]]


@pytest.fixture
def url(url: Url) -> Url:
    with connect(url) as connection:
        up(connection, [PGKEEL])
    return url


@pytest.fixture
async def cache(valkey_db: CacheUrl, colour: str) -> AsyncIterator[Any]:
    """A cache of the colour under test."""
    if colour == "psycopg-sync":
        with SyncCache(valkey_db, secret=SECRET) as threaded:
            yield threaded
    else:
        async with Cache(valkey_db, secret=SECRET) as cache:
            yield cache


@pytest.fixture
async def db(open_db: Any, cache: Any) -> Any:
    db = await open_db(cache=cache)
    await db.repository(Role).cached().count()  # the first read tells the cache of the epoch
    await trust(cache if isinstance(cache, Cache) else Threaded(cache))
    return db


async def forum(db: Any) -> tuple[UUID, list[UUID]]:
    """A user, three posts, two comments on the first."""
    ada = await new_user(db)
    posts = await db.repository(Post).insert_many_returning(
        {"user_id": ada, "title": f"Quantum {number}", "content": "a quantum of salt", "metadata": {"n": [number]}}
        for number in range(3)
    )
    await db.repository(Comment).insert_many({"post_id": posts[0], "user_id": ada, "content": f"c{n}"} for n in range(2))
    return ada, posts


async def second_page(reads: Any) -> Any:
    first = await reads.page(limit=1, order_by=Post.title.desc())
    return first, await reads.page(limit=1, order_by=Post.title.desc(), after=first.next)


READS: dict[str, Reads] = {
    "filter": lambda reads: reads.filter(Post.title.in_(["Quantum 1", "Quantum 2"]), order_by=Post.title.desc()),
    "first": lambda reads: reads.first(Post.created_at <= func.now(), order_by=Post.title),
    "nobody": lambda reads: reads.first(Post.title == "nothing"),
    "page": second_page,
    "offset_page": lambda reads: reads.offset_page(size=2, number=2),
    "capped": lambda reads: reads.count_up_to(cap=1),
    "count": lambda reads: reads.count(Post.status == "draft"),
    "search": lambda reads: reads.search("quantum", limit=2),
    "search_hits": lambda reads: reads.search_hits("quantum salt"),
    "aggregate": lambda reads: reads.aggregate(
        by=[Post.status, func.date_trunc("day", Post.created_at).label("day")],
        posts=func.count(),
        mean=func.avg(Post.version),
        titles=func.array_agg(Post.title),
        ids=func.array_agg(Post.id),
        data=func.jsonb_agg(Post.metadata_),
    ),
}


@pytest.mark.majors
@pytest.mark.parametrize("kind", READS)
async def test_every_kind_of_read_is_kept_and_sees_a_write(db: Any, kind: str) -> None:
    ada, _ = await forum(db)
    posts, read = db.repository(Post), READS[kind]
    reads = posts.cached(ttl="5m")
    first = await read(reads)
    with expect(0):
        second = await read(posts.cached(ttl="5m"))
    plain = await read(posts)
    assert repr(first) == repr(second)
    assert second == plain
    await posts.insert(user_id=ada, title="Quantum 1", content="more quantum salt")
    assert await read(reads) == await read(posts)
    await posts.delete_many([row.id for row in await posts.filter()])
    assert await read(reads) == await read(posts)


@pytest.mark.parametrize("with_deleted", [False, True])
async def test_rows_by_their_keys(db: Any, with_deleted: bool) -> None:
    _, keys = await forum(db)
    posts = db.repository(Post)
    posts = posts.with_deleted() if with_deleted else posts
    reads, missing = posts.cached(), uuid4()
    for _ in range(2):
        found = [await reads.get(keys[0]), await reads.get_one(keys[1]), *await reads.get_many(keys), await reads.get(missing)]
    with expect(0):
        again = [await reads.get(keys[0]), await reads.get_one(keys[1]), *await reads.get_many(keys), await reads.get(missing)]
    assert again == found
    assert found[-1] is None
    await posts.soft_delete(keys[0])
    assert (await reads.get(keys[0]) is None) is not with_deleted
    assert len(await reads.get_many(keys)) == (3 if with_deleted else 2)


async def test_what_is_included_is_kept_by_its_own_tables(db: Any) -> None:
    ada, keys = await forum(db)
    posts = db.repository(Post).include(Post.user).include(Post.comments)
    reads = posts.cached(ttl="1m")
    first = await reads.page(limit=2)
    with expect(0):
        again = await reads.page(limit=2)
    assert again == first == await posts.page(limit=2)
    assert sorted(len(comments) for _, _, comments in first.rows) == [0, 2]
    await db.repository(Comment).insert(post_id=keys[0], user_id=ada, content="one more")
    with expect(1):
        third = await reads.page(limit=2)
    assert sorted(len(comments) for _, _, comments in third.rows) == [0, 3]
    await db.repository(User).update(ada, version=None, username="countess")
    assert {user.username for _, user, _ in (await reads.page(limit=2)).rows} == {"countess"}
    found = await reads.cached(ttl="2m").get(keys[0])
    assert found is not None
    assert found[0].id == keys[0]


async def test_a_link_table_between_counts(db: Any) -> None:
    ada = await new_user(db)
    role = await db.repository(Role).insert(name="editor")
    reads = db.repository(User).include(User.roles).cached()
    assert [(await reads.get(ada))[1] for _ in range(2)] == [[], []]
    await db.repository(UserRole).insert_row(user_id=ada, role_id=role)
    assert [one.name for one in (await reads.get(ada))[1]] == ["editor"]


CONDITIONS: dict[str, Callable[[], Any]] = {
    "has": lambda: Post.user.has(User.username == "eve"),
    "subquery": lambda: Post.user_id.in_(select(User.id).where(User.username == "eve")),
    "aliased": lambda: Post.user_id.in_(select(aliased(User, name="u").id).where(User.username == "eve")),
    "scalar": lambda: select(User.username).where(User.id == Post.user_id).scalar_subquery() == "eve",
    "exists": lambda: sqlalchemy.exists().where(User.id == Post.user_id, User.username == "eve"),
    "cte": lambda: Post.user_id.in_(select(select(User.id).where(User.username == "eve").cte("gone").c.id)),
    "table": lambda: Post.user_id.in_(
        select(sqlalchemy.column("id")).select_from(sqlalchemy.table("users")).where(sqlalchemy.column("username") == "eve")
    ),
    "union": lambda: Post.user_id.in_(
        select(User.id).where(User.username == "eve").union_all(select(User.id).where(User.username == "eva"))
    ),
}


@pytest.mark.parametrize("kind", CONDITIONS)
async def test_tables_of_conditions_count_too(db: Any, kind: str) -> None:
    ada, _ = await forum(db)
    reads, condition = db.repository(Post).cached(), CONDITIONS[kind]()
    before = [await reads.count(condition) for _ in range(2)]
    assert before[0] == before[1] == await db.repository(Post).count(condition) < 3
    await db.repository(User).update(ada, version=None, username="eve")
    assert await reads.count(condition) == await db.repository(Post).count(condition) == 3


@pytest.mark.parametrize("by", ["update_many", "upsert_many"])
async def test_rows_that_a_trigger_hides_with_their_parents_are_seen(db: Any, by: str) -> None:
    ada, keys = await forum(db)
    comments = db.repository(Comment)
    assert [await comments.cached().count() for _ in range(2)] == [2, 2]
    hidden = {"id": keys[0], "status": "deleted", "deleted_at": datetime.now(UTC)}
    more = {"user_id": ada, "title": "t", "content": "c"} if by == "upsert_many" else {}
    await getattr(db.repository(Post), by)([hidden | more])
    assert await comments.cached().count() == await comments.count() == 0


async def test_a_text_is_refused_unless_its_tables_are_named(db: Any) -> None:
    ada, _ = await forum(db)
    posts = db.repository(Post)
    for written in (
        literal_column("(SELECT max(status) FROM users)") == "suspended",
        Post.user_id.in_(text("SELECT id FROM users WHERE status = 'suspended'")),
    ):
        with pytest.raises(UsageError, match="which tables your text reads"):
            await posts.cached().count(cast("Any", written))
        assert [await posts.cached(tags="users").count(cast("Any", written)) for _ in range(2)] == [0, 0]
    await db.repository(User).update(ada, version=None, status="suspended")
    assert await posts.cached(tags="users").count(cast("Any", written)) == 3
    await posts.soft_delete((await posts.first()).id)
    assert await posts.cached(tags="users").count(cast("Any", written)) == 2
    assert await posts.cached().count(literal_column("length(title)") > 3) == 2


async def test_encrypted_fields_open_and_nothing_of_their_table_is_clear_in_the_cache(db: Any, cache: Any) -> None:
    await new_user(db, username="countess-of-lovelace")
    reads = db.repository(User).cached()
    for _ in range(2):
        (row,) = await reads.filter(User.email == "ada@example.org")
        assert row.email == "ada@example.org"
    with expect(0):
        await reads.filter(User.email == "ada@example.org")
    client: Any = cache.client if isinstance(cache, Cache) else Threaded(cache).client
    kept = [await client.call("DUMP", name) or b"" for name in await client.call("KEYS", "*")]
    assert sum(map(len, kept)) > 0
    assert not any(b"countess" in value or b"ada@" in value for value in kept)
    assert not any(b"ada@" in name for name in await client.call("KEYS", "*"))


async def test_a_unit_of_work_asks_the_database(db: Any) -> None:
    ada, _ = await forum(db)
    assert await db.repository(Post).cached().count() == 3
    async with db.transaction() as tx:
        reads = tx.repository(Post).cached()
        await done(tx.repository(Post).insert(user_id=ada, title="one more", content="c"))
        assert await done(reads.count()) == 4
        assert len(await done(tx.repository(Post).include(Post.user).cached().filter())) == 4
        with expect(0):
            assert await db.repository(Post).cached().count() == 3
    assert await db.repository(Post).cached().count() == 4


async def test_a_tag_stands_instead_of_its_table(db: Any) -> None:
    ada, _ = await forum(db)
    bob = await new_user(db, "bob")
    reads = db.repository(Post).cached(tags=[await done(db.tag(Post, user_id=ada))])
    condition = Post.user_id == ada
    assert [await reads.count(condition) for _ in range(2)] == [3, 3]
    await db.repository(Post).insert(user_id=bob, title="b", content="c")
    assert await reads.count(condition) == 3
    await db.repository(Post).insert(user_id=ada, title="a", content="c")
    assert await reads.count(condition) == 4


async def test_what_cannot_be_is_said(open_db: Any, db: Any) -> None:
    plain = (await open_db()).repository(Post)
    for reads in (plain, plain.include(Post.user)):
        with pytest.raises(UsageError, match="no cache"):
            reads.cached()
    posts = db.repository(Post)
    ttls: list[Any] = ["soon", "0s", 5, None, [], -1]
    for ttl in ttls:
        with pytest.raises(ConfigError):
            posts.cached(ttl=ttl)
    with pytest.raises(ConfigError):
        posts.cached(stale="never")
    wrong: list[Any] = [5, [5], None, [None], [[]]]
    for tags in wrong:
        with pytest.raises(UsageError, match="are not tags"):
            posts.cached(tags=tags)
    with pytest.raises(UsageError, match="a condition is an expression"):
        await posts.cached().count(True)
    with pytest.raises(UsageError, match="cache key cannot be made"):
        await posts.cached().count(Post.title == cast("Any", object()))
    assert await posts.cached(tags=[]).count() == 0
    assert not hasattr(posts.cached(), "update")


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(sqlalchemy.BigInteger, primary_key=True)
    flag: Mapped[bool | None]
    number: Mapped[Any] = mapped_column(sqlalchemy.Numeric, nullable=True)
    real: Mapped[float | None]
    raw: Mapped[bytes | None]
    day: Mapped[Any] = mapped_column(sqlalchemy.Date, nullable=True)
    clock: Mapped[Any] = mapped_column(sqlalchemy.Time, nullable=True)
    local: Mapped[datetime | None] = mapped_column(sqlalchemy.DateTime(timezone=False))
    moment: Mapped[datetime | None] = mapped_column(sqlalchemy.DateTime(timezone=True))
    span: Mapped[Any] = mapped_column(sqlalchemy.Interval, nullable=True)
    place: Mapped[Any] = mapped_column(postgresql.INET, nullable=True)
    words: Mapped[list[str] | None] = mapped_column(postgresql.ARRAY(sqlalchemy.Text))
    keys: Mapped[list[UUID] | None] = mapped_column(postgresql.ARRAY(sqlalchemy.Uuid))
    said: Mapped[Any] = mapped_column(postgresql.JSONB, nullable=True)


VALUES = """
    INSERT INTO things VALUES
        (1, true, 1.10, 0.1, '\\xff00', '2026-11-27', '12:30:00.5', '2026-11-27 12:30', '2026-11-27 12:30:00.000001+02',
         '40 days 00:00:00.5', '10.0.0.1/8', '{a,NULL}', ARRAY[gen_random_uuid()], '{"a": [1, null, {"b": 1.5}]}'),
        (2, false, 1e30, -0.0, '', '0001-01-01', '00:00', '0001-01-01', '9999-12-31 00:00+00',
         '-1 day', '::1', '{}', '{}', '[]'),
        (9223372036854775807, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '"text"'),
        (-9223372036854775808, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'true')
"""


async def test_values_of_all_types_come_back_as_they_were(db: Any, url: Url) -> None:
    model = cast("Any", Thing)
    with connect(url) as connection:
        connection.execute(str(CreateTable(cast("Any", Thing.__table__)).compile(dialect=cast("Any", postgresql).dialect())))
        connection.execute(VALUES)
    things = db.repository(model)
    for conditions in ([], [Thing.id == 1], [Thing.id == 2], [Thing.id == 0]):
        plain, _ = await things.filter(*conditions), await things.cached().filter(*conditions)
        with expect(0):
            kept = await things.cached().filter(*conditions)
        assert kept == plain
        values = [[msgspec.structs.astuple(row) for row in rows] for rows in (kept, plain)]
        assert [[_type(v) for v in row] for row in values[0]] == [[_type(v) for v in row] for row in values[1]]


def _type(value: object) -> object:
    """A type, and of a list or dict those inside; drivers have UUIDs and time zones of their own."""
    if isinstance(value, list):
        return [_type(one) for one in value]
    if isinstance(value, dict):
        return {key: _type(one) for key, one in value.items()}
    if isinstance(value, UUID):
        return UUID
    return (datetime, value.utcoffset()) if isinstance(value, datetime) else type(value)


async def test_no_read_is_older_than_a_write_that_was_acknowledged(
    db: Any, open_db: Any, valkey_db: CacheUrl, colour: str
) -> None:
    if colour == "psycopg-sync":
        pytest.skip("tasks race here; the threads of the sync form share all of the protocol with them")
    ada, keys = await forum(db)
    async with Cache(valkey_db, secret=SECRET) as second:
        other = await open_db(cache=second)
        await _race([db, other], ada, keys)


async def _race(handles: list[Any], ada: UUID, keys: list[UUID]) -> None:
    chance, end = random.Random(7), asyncio.get_running_loop().time() + 3
    least = {"count": 3, "version": 1, "comments": 2}
    stale: list[str] = []
    reads = 0

    async def write(db: Any) -> None:
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(chance.random() * 0.02)
            await db.repository(Post).insert(user_id=ada, title="t", content="c")
            least["count"] += 1
            async with db.transaction() as tx:
                await tx.repository(Comment).insert(post_id=keys[0], user_id=ada, content="c")
            least["comments"] += 1
            row = await db.repository(Post).update(keys[1], version=None, title=f"t{chance.random()}")
            least["version"] = max(least["version"], row.version)

    async def read(db: Any) -> None:
        nonlocal reads
        posts = db.repository(Post)
        while asyncio.get_running_loop().time() < end:
            known = dict(least)
            counted = await posts.cached().count()
            (row,) = await posts.cached().filter(Post.id == keys[1])
            found = await posts.include(Post.comments).cached().get(keys[0])
            seen = {"count": counted, "version": row.version, "comments": len(found[1])}
            stale.extend(name for name in least if seen[name] < known[name])
            reads += 3
            await asyncio.sleep(0)

    await asyncio.gather(*(write(db) for db in handles), *(read(db) for db in handles for _ in range(4)))
    assert not stale
    assert reads > 100
