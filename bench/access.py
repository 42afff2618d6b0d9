"""Data access against the bare driver on a held connection, and against SQLAlchemy: reads by id and pages of fifty."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import sqlalchemy
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bench.harness import Entry, Scale, Target, at_least, paired, paired_async, ratio, skipped, wall
from bench.posts import PAGE, POINT, fill
from pgkeel.access import Database
from pgkeel.access import sync as sync_form
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime
from pgkeel.schema.models import Post
from pgkeel.testing.servers import scratch_cluster

Work = Callable[[], Awaitable[object]]


class Figure(tuple[str, str, str, Target]):
    """An entry's id, its sentence, its peer and its target."""

    __slots__ = ()


_POINT_RAW = Figure(
    ("access.point_read.raw", "read by id over asyncpg on a held connection", f"asyncpg {asyncpg.__version__}", at_least(0.90))
)
_POINT_ORM = Figure(
    ("access.point_read.orm", "read by id over the ORM", f"SQLAlchemy ORM {sqlalchemy.__version__}", at_least(8.0))
)
_PAGE_RAW = Figure(
    ("access.page.raw", "page of 50 over asyncpg on a held connection", f"asyncpg {asyncpg.__version__}", at_least(0.90))
)
_SYNC_RAW = Figure(
    (
        "access.point_read.sync",
        "read by id, sync, over psycopg on a held connection",
        f"psycopg {psycopg.__version__}",
        at_least(0.85),
    )
)
_FIGURES = (_POINT_RAW, _POINT_ORM, _PAGE_RAW, _SYNC_RAW)


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of our own, over its socket; TLS is not measured yet and says so."""
    account = choose_account()
    with scratch_cluster(runtime=find_runtime("17", account=account), account=account) as cluster:
        cluster.create_database("bench")
        url = cluster.superuser_url("bench")
        _, keys = fill(url, scale.pick(2_000, 100_000))
        yield from asyncio.run(_measure(url, keys, scale, "unix"))
        yield _measure_sync(url, keys, scale, "unix")
    for identity, figure, peer, target in _FIGURES:
        reason = "only the socket is measured so far"
        yield skipped(f"{identity}.tls", figure, better="higher", against=peer, target=target, reason=reason)


@asynccontextmanager
async def _peers(url: Url) -> AsyncIterator[tuple[Database, "asyncpg.Connection[Any]", Any]]:
    raw = await asyncpg.connect(url.reveal())
    await raw.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)  # the same values as ours
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url.reveal()))
    async with Database(url) as db:
        yield db, raw, engine
    await engine.dispose()
    await raw.close()


async def _measure(url: Url, keys: list[UUID], scale: Scale, transport: str) -> list[Entry]:
    points, pages = scale.pick(300, 2000), scale.pick(100, 500)
    async with _peers(url) as (db, raw, engine):
        posts = db.repository(Post)
        ring = itertools.cycle(keys)

        async def orm() -> None:
            async with AsyncSession(engine) as session:
                await session.scalar(select(Post).where(Post.id == next(ring), Post.deleted_at.is_(None)))

        ours = _times(points, lambda: posts.get(next(ring)))
        page = _times(pages, lambda: posts.page(limit=50))
        pairs = {
            _POINT_RAW: await paired_async(ours, _times(points, lambda: raw.fetchrow(POINT, next(ring))), scale.runs),
            _POINT_ORM: await paired_async(ours, _times(points, orm), scale.runs),
            _PAGE_RAW: await paired_async(page, _times(pages, lambda: raw.fetch(PAGE)), scale.runs),
        }
    return [_entry(figure, measured, transport) for figure, measured in pairs.items()]


def _times(count: int, work: Work) -> Work:
    async def run() -> None:
        for _ in range(count):
            await work()

    return run


def _measure_sync(url: Url, keys: list[UUID], scale: Scale, transport: str) -> Entry:
    ring = itertools.cycle(keys)
    count = scale.pick(300, 2000)
    statement = POINT.replace("$1", "%s")
    with sync_form.Database(url) as db, psycopg.connect(url.reveal(), autocommit=True) as raw:
        posts = db.repository(Post)

        def ours() -> None:
            for _ in range(count):
                posts.get(next(ring))

        def peer() -> None:
            for _ in range(count):
                raw.execute(statement, (next(ring),), prepare=True, binary=True).fetchone()

        return _entry(_SYNC_RAW, paired(wall(ours), wall(peer), scale.runs), transport)


def _entry(figure: Figure, pairs: Any, transport: str) -> Entry:  # noqa: ANN401 - list of harness pairs
    identity, sentence, peer, target = figure
    return ratio(f"{identity}.{transport}", sentence, pairs, better="higher", against=peer, target=target)
