"""Many rows: pages, reads by id side by side, COPY, upserts; against the bare driver, psql and Advanced Alchemy."""

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psycopg
import sqlalchemy
from sqlalchemy import Text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.harness import Entry, Scale, Target, at_least, at_most, on_one_processor, paired, paired_async, ratio, wall
from bench.posts import PAGE, POINT, fill
from pgkeel.access import Database
from pgkeel.access import sync as sync_form
from pgkeel.core.url import Url
from pgkeel.local import Runtime, choose_account, find_runtime
from pgkeel.schema.models import Post
from pgkeel.schema.types import TYPES
from pgkeel.testing.servers import scratch_cluster

Work = Callable[[], Awaitable[object]]
_ASYNCPG = f"asyncpg {asyncpg.__version__}"
_WIDTH = 16


class Base(DeclarativeBase):
    """Of the table that is written; without foreign keys, so that the server's checks do not hide the client's work."""

    type_annotation_map = TYPES


class Line(Base):
    """A row of about 300 bytes."""

    __tablename__ = "lines"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    amount: Mapped[int]
    created_at: Mapped[datetime]


_LINE: Any = Line  # its struct is made at run time, which no type checker sees


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on servers of our own, over their sockets: reads on one processor, COPY and upserts on all."""
    runtime = find_runtime("17", account=choose_account())
    with on_one_processor(), _server(runtime) as url:
        author, keys = fill(url, 102_000)
        yield from _run(_reads(url, author, keys, scale))
    with _server(runtime) as url:
        _make_lines(url)
        yield from _copies(url, runtime, scale)
        yield _run(_upserts(url, scale))


@contextmanager
def _server(runtime: Runtime) -> Iterator[Url]:
    with scratch_cluster(runtime=runtime, account=choose_account()) as cluster:
        cluster.create_database("bench")
        yield cluster.superuser_url("bench")


def _run(work: Any) -> Any:  # noqa: ANN401 - a coroutine
    try:
        loop: Any = import_module("uvloop")  # where it is installed, as a service would
    except ImportError:
        loop = asyncio
    return loop.run(work)


@asynccontextmanager
async def _raw(url: Url, count: int) -> AsyncIterator[list["asyncpg.Connection[Any]"]]:
    """Open bare connections that give the same values as ours."""
    opened = [await asyncpg.connect(url.reveal()) for _ in range(count)]
    for connection in opened:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    yield opened
    for connection in opened:
        await connection.close()


async def _reads(url: Url, author: UUID, keys: list[UUID], scale: Scale) -> list[Entry]:
    async with Database(url) as db, _raw(url, 10) as raw:
        posts, ring = db.repository(Post), itertools.cycle(keys)
        pages, rounds = 10, scale.rounds
        page = _times(pages, lambda: posts.page(limit=50))
        newest = Post.created_at.desc()
        far = (await posts.page(Post.user_id == author, order_by=newest, limit=1_999 * 50)).next
        deep = _times(pages, lambda: posts.page(Post.user_id == author, after=far, order_by=newest))
        first = _times(pages, lambda: posts.page(Post.user_id == author, order_by=newest))
        free = asyncio.Queue[Any]()
        for connection in raw:
            free.put_nowait(connection)

        async def point() -> None:
            connection = await free.get()
            await connection.fetchrow(POINT, next(ring))
            free.put_nowait(connection)

        points = 160
        ours = _side_by_side(points, lambda: posts.get(next(ring)))
        return [
            _entry(
                "page.raw",
                "page of 50 over asyncpg on a held connection",
                _ASYNCPG,
                at_least(0.90),
                await paired_async(page, _times(pages, lambda: raw[0].fetch(PAGE)), rounds, warmups=10),
            ),
            _entry(
                "point_read.coalesced",
                "16 reads by id at once over asyncpg on 10 connections",
                _ASYNCPG,
                at_least(2.0),
                await paired_async(ours, _side_by_side(points, point), rounds, warmups=10),
            ),
            _entry(
                "page.deep",
                "cost of page 2,000 over page 1",
                "itself",
                at_most(1.5),
                await paired_async(deep, first, rounds, warmups=10),
                better="lower",
            ),
        ]


def _times(count: int, work: Work) -> Work:
    async def run() -> None:
        for _ in range(count):
            await work()

    return run


def _side_by_side(count: int, work: Work) -> Work:
    """Return work that is done so often by 16 tasks."""
    one = _times(count // _WIDTH, work)

    async def run() -> None:
        await asyncio.gather(*(one() for _ in range(_WIDTH)))

    return run


def _make_lines(url: Url) -> None:
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url.reveal()))
    Base.metadata.create_all(engine)
    engine.dispose()


def _lines(count: int) -> list[dict[str, Any]]:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return [{"id": uuid4(), "title": f"line {n}", "content": "word " * 40, "amount": n, "created_at": at} for n in range(count)]


def _copies(url: Url, runtime: Runtime, scale: Scale) -> Iterator[Entry]:
    """Compare Python objects on their way into the table with a file on its way there, empty before each."""
    rows, psql = _lines(100_000), str(runtime.program("psql"))
    with TemporaryDirectory(prefix="pgkeel-bench-") as folder, sync_form.Database(url) as db:
        lines: Any = db.repository(_LINE)
        lines.insert_many(rows)
        for form, target in (("text", at_least(1.0)), ("binary", at_least(0.75))):
            file = Path(folder) / form
            _psql(psql, url, f"\\copy lines TO '{file}' (FORMAT {form})")
            ours = wall(lambda: lines.insert_many(rows))
            theirs = wall(lambda: _psql(psql, url, f"\\copy lines FROM '{file}' (FORMAT {form})"))  # noqa: B023 - run below
            pairs = paired(_emptied(db, ours), _emptied(db, theirs), scale.pick(7, 15))
            yield _entry(f"copy.{form}", f"100,000 rows from Python objects over psql \\copy in {form}", "psql 17", target, pairs)


def _psql(psql: str, url: Url, command: str) -> None:
    subprocess.run([psql, "--no-psqlrc", "--quiet", "-d", url.reveal(), "-c", command], check=True, capture_output=True)


def _emptied(db: sync_form.Database, sample: Callable[[], float]) -> Callable[[], float]:
    def run() -> float:
        db.sql("TRUNCATE lines")
        return sample()

    return run


async def _upserts(url: Url, scale: Scale) -> Entry:
    """Compare with the fastest way of the peer that returns ids: `add_many`; its `upsert_many` compares each with each."""
    peer_module: Any = import_module("advanced_alchemy.repository")
    kind = type("Lines", (peer_module.SQLAlchemyAsyncRepository,), {"model_type": Line})
    engine: AsyncEngine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url.reveal()))
    async with Database(url) as db:
        rows = _lines(100_000)

        async def ours() -> None:
            await db.sql("TRUNCATE lines")
            await db.repository(_LINE).upsert_many(rows)

        async def peer() -> None:
            await db.sql("TRUNCATE lines")
            async with AsyncSession(engine) as session:
                await kind(session=session).add_many([Line(**line) for line in rows])
                await session.commit()

        pairs = await paired_async(ours, peer, scale.pick(3, 5))
    await engine.dispose()
    against = f"Advanced Alchemy {version('advanced-alchemy')}"
    return _entry("upsert", "upsert of 100,000 rows returning ids over add_many", against, at_least(3.5), pairs)


def _entry(name: str, sentence: str, peer: str, target: Target, pairs: Any, better: Any = "higher") -> Entry:  # noqa: ANN401 - the harness's
    return ratio(f"access_rows.{name}.unix", sentence, pairs, better=better, against=peer, target=target)
