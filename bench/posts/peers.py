"""How the peers read a post by its id and insert one, each as its documentation shows it: what it takes to do that once."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bench.posts import POINT
from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.core.url import Url
from pgkeel.schema.models import Post

__all__ = ["PEERS", "Read", "connected"]

_TEN: dict[str, int] = {"pool_size": 10, "max_overflow": 0}  # as our pool; with its own 5 and 10 it connects again all the time

Read = Callable[[UUID], Awaitable[object]]


async def connected(url: Url) -> "asyncpg.Connection[Any]":
    """Return a bare connection that reads JSON as we do."""
    raw: asyncpg.Connection[Any] = await asyncpg.connect(**connect_arguments(url, {}))
    await read_json(raw)
    return raw


async def read_json(raw: Any) -> None:  # noqa: ANN401 - a connection, pooled or not
    """Let JSON arrive as values."""
    await raw.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=msgspec.json.decode)


@asynccontextmanager
async def held(url: Url) -> AsyncIterator[Read]:
    """Use one asyncpg connection for everything."""
    raw = await connected(url)
    yield lambda key: raw.fetchrow(POINT, key)
    await raw.close()


@asynccontextmanager
async def pooled(url: Url) -> AsyncIterator[Read]:
    """Take a connection of `asyncpg.Pool` each time."""
    async with asyncpg.create_pool(**connect_arguments(url, {}), min_size=2, max_size=10, init=read_json) as pool:
        yield lambda key: pool.fetchrow(POINT, key)


@asynccontextmanager
async def core(url: Url) -> AsyncIterator[Read]:
    """Use SQLAlchemy Core, in autocommit."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connected(url), isolation_level="AUTOCOMMIT", **_TEN
    )
    table: Any = Post.__table__

    async def read(key: UUID) -> object:
        async with engine.connect() as connection:
            return (await connection.execute(select(table).where(table.c.id == key, table.c.deleted_at.is_(None)))).one()

    yield read
    await engine.dispose()


@asynccontextmanager
async def orm(url: Url) -> AsyncIterator[Read]:
    """Use the SQLAlchemy ORM, a session each time."""
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connected(url), **_TEN)

    async def read(key: UUID) -> object:
        async with AsyncSession(engine) as session:
            return await session.scalar(select(Post).where(Post.id == key, Post.deleted_at.is_(None)))

    yield read
    await engine.dispose()


@asynccontextmanager
async def advanced_alchemy(url: Url) -> AsyncIterator[Read]:
    """Use a repository of Advanced Alchemy, a session each time."""
    base: Any = import_module("advanced_alchemy.repository").SQLAlchemyAsyncRepository

    class Posts(base):  # type: ignore[misc]
        model_type = Post

    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connected(url), **_TEN)

    async def read(key: UUID) -> object:
        async with AsyncSession(engine) as session:
            return await Posts(session=session).get_one_or_none(Post.id == key, Post.deleted_at.is_(None))

    yield read
    await engine.dispose()


@asynccontextmanager
async def tortoise(url: Url) -> AsyncIterator[Read]:
    """Use Tortoise ORM."""
    library: Any = import_module("tortoise").Tortoise
    models: Any = import_module("bench.posts.tortoise_models")
    credentials = _credentials(url) | {"minsize": 2, "maxsize": 10}
    engine = {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
    apps = {"bench": {"models": [models.__name__], "default_connection": "default"}}
    await library.init(config={"connections": {"default": engine}, "apps": apps})
    yield lambda key: models.Posts.get(id=key, deleted_at__isnull=True)
    await library.close_connections()


@asynccontextmanager
async def piccolo(url: Url) -> AsyncIterator[Read]:
    """Use Piccolo."""
    from bench.posts.piccolo_models import posts_on  # noqa: PLC0415 - a peer

    posts, engine = posts_on(_credentials(url))
    await engine.start_connection_pool(min_size=2, max_size=10)
    yield lambda key: posts.objects().where(posts.id == key, posts.deleted_at.is_null()).first()
    await engine.close_connection_pool()


def _credentials(url: Url) -> dict[str, Any]:
    given = connect_arguments(url, {})
    return {name: given[name] for name in ("host", "port", "user", "password", "database", "ssl") if name in given}


PEERS: dict[str, Any] = {
    "raw": held,
    "pool": pooled,
    "core": core,
    "orm": orm,
    "advanced_alchemy": advanced_alchemy,
    "tortoise": tortoise,
    "piccolo": piccolo,
}
