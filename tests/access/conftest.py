"""Databases with the reference schema (cloned from a template), and one shape of handle for both colours and every driver.

Tests are written once, with coroutines; the sync form runs behind `Threaded`, which turns each call into an awaited one
on the calling thread, so that the same assertions hold for the generated code.
"""

import inspect
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg import sql

from pgkeel.access import Database
from pgkeel.access import sync as sync_form
from pgkeel.core.config import PoolConfig
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import connect, identifier
from pgkeel.schema.models import Base
from pgkeel.testing.keys import ring_for_tests
from tests.conftest import DEFAULT_MAJOR
from tests.recycling import Stall

KEYS = ring_for_tests()
_numbers = itertools.count()
_templates: dict[str, str] = {}
_shared: set[Url] = set()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On other majors than the default the driver makes no difference: one is enough, except where drivers are the subject."""
    if config.getoption("--majors") == DEFAULT_MAJOR:
        return
    spare = [item for item in items if _colour(item) in COLOURS[1:] and item.path.name != "test_drivers.py"]
    config.hook.pytest_deselected(items=spare)
    items[:] = [item for item in items if item not in set(spare)]


def _colour(item: pytest.Item) -> str | None:
    given = getattr(item, "callspec", None)
    return given.params.get("colour") if given else None


@pytest.fixture
def template(superuser: Url, major: str, worker_id: str) -> str:
    """A database with the reference schema, made once a major."""
    if major not in _templates:
        name = f"t_access_{worker_id}_{os.getpid()}_template"
        with connect(superuser) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier(name)))
        place = superuser.with_database(name)
        engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(place.reveal()))
        Base.metadata.create_all(engine)
        engine.dispose()
        _templates[major] = name
    return _templates[major]


@pytest.fixture
def url(cluster: Cluster, template: str) -> Iterator[Url]:
    """A database of its own with the reference schema."""
    stall = _stall(cluster, template)
    place = stall.take()
    yield place
    stall.give_back(place)


@cache
def _stall(cluster: Cluster, template: str) -> Stall:
    def make() -> Url:
        name = f"{template}_{next(_numbers)}"
        cluster.create_database(name, template=template)
        return cluster.superuser_url(name)

    return Stall(make, lambda url: cluster.drop_database(url.database))


@pytest.fixture
def shared_url(superuser: Url, template: str) -> Url:
    """One database for many tests, emptied before each: for those that leave nothing behind but rows.

    A module takes it with a fixture `url` of its own.
    """
    name = f"{template}_shared"
    place = superuser.with_database(name)
    if place not in _shared:
        with connect(superuser) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(identifier(name), identifier(template)))
        _shared.add(place)
    with connect(place) as connection:
        connection.execute("TRUNCATE users, posts, comments, events, sessions, user_tokens, user_roles")
        connection.execute("DELETE FROM roles WHERE name NOT IN ('user', 'admin')")
    return place


class Threaded:
    """The sync form behind awaitable calls."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in {"cached", "include", "repository", "with_deleted"}:
            return lambda *given, **named: Threaded(found(*given, **named))
        if name == "stream":
            return lambda *given, **named: _stream(found(*given, **named))
        if name == "transaction":
            return lambda **options: _transaction(found, options)
        if name == "run":
            return lambda work, **options: _awaitable(found)(_driven(work), **options)
        if name in {"as_actor", "expect"}:
            return found
        return _awaitable(found) if inspect.ismethod(found) else found


def _awaitable(method: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*given: Any, **named: Any) -> Any:
        return method(*given, **named)

    return call


@asynccontextmanager
async def _stream(opened: Any) -> AsyncIterator[Any]:
    async def rows(inner: Any) -> AsyncIterator[Any]:
        for row in inner:
            yield row

    with opened as inner:
        yield rows(inner)


@asynccontextmanager
async def _transaction(begin: Callable[..., Any], options: dict[str, Any]) -> AsyncIterator[Any]:
    with begin(**options) as session:
        yield session


def _driven(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function as a plain one: with the sync form, nothing that it awaits ever suspends it."""

    def call(*given: Any) -> Any:
        try:
            work(*given).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("the work waited for something")

    return call


async def done(result: Any) -> Any:
    """Return the result of a call of either form."""
    return await result if inspect.isawaitable(result) else result


COLOURS = ("asyncpg", "psycopg-async", "psycopg-sync")


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Opener = Callable[..., Any]


@pytest.fixture
async def open_db(url: Url, colour: str) -> AsyncIterator[Opener]:
    """Opens handles of the colour under test; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def opened(place: Url | None = None, **options: Any) -> Any:
            given = {"pool": PoolConfig(), "cursor_key": Secret("test"), "keys": KEYS, **options}
            if colour == "psycopg-sync":
                return Threaded(stack.enter_context(sync_form.Database(place or url, **given)))
            driver = "asyncpg" if colour == "asyncpg" else "psycopg"
            return await stack.enter_async_context(Database(place or url, driver=driver, **given))

        yield opened


@pytest.fixture
async def db(open_db: Opener) -> Any:
    return await open_db()
