"""A standby lags behind its primary: the cache keeps nothing of what it says, and serves nothing that nobody confirms."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from pgkeel import access
from pgkeel.access import ConnectionLost
from pgkeel.access.sync import Database as PlainDatabase
from pgkeel.cache import Cache
from pgkeel.cache.keeper import kinds
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError
from pgkeel.local import Cluster
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from tests.cache.conftest import SECRET, trust
from tests.conftest import MakeCluster

Database: Any = access.Database
SyncDatabase: Any = PlainDatabase
ASKS_EACH_TIME = timedelta(microseconds=1)


class Thing(msgspec.Struct, frozen=True):
    number: int


def become_standby(cluster: Cluster) -> None:
    cluster.stop()
    (cluster.data / "standby.signal").touch()
    cluster.start()


@pytest.mark.parametrize("on_outage", ["open", "closed"])
async def test_where_the_server_becomes_a_standby_nothing_more_is_kept_or_served(
    make_cluster: MakeCluster, valkey_db: CacheUrl, on_outage: Any
) -> None:
    asked: list[UUID] = []

    async def read(key: UUID) -> Thing | None:
        asked.append(key)
        found: list[Thing] = await db.sql("SELECT 7 AS number", into=Thing)
        return found[0]

    one, two = UUID(int=1), UUID(int=2)
    cluster = make_cluster("primary")
    cluster.start()
    with connect(cluster.superuser_url()) as connection:
        up(connection, [PGKEEL])
    cache = Cache(valkey_db, secret=SECRET, on_outage=on_outage, epoch_check=ASKS_EACH_TIME)
    async with cache, Database(cluster.superuser_url(), cache=cache) as db:
        things = cache.rows("things", Thing, key=UUID)
        await things.get(one, read)
        await trust(cache)
        asked.clear()
        assert [await things.get(one, read) for _ in range(3)] == [Thing(7)] * 3
        assert (asked, kinds(valkey_db, "pgkeel").values) == ([one], 1)

        become_standby(cluster)
        for _ in range(10):  # connections that the pool held are lost, each once
            with suppress(ConnectionLost):
                await things.get(two, read)
        asked.clear()

        assert [await things.get(key, read) for key in (one, two, one, two)] == [Thing(7)] * 4
        assert asked == [one, two, one, two]
        assert kinds(valkey_db, "pgkeel").values == 1

    with pytest.raises(ConfigError, match="is a standby"):
        async with cache, Database(cluster.superuser_url(), cache=cache):
            pass
    with (
        pytest.raises(ConfigError, match="is a standby"),
        SyncCache(valkey_db, secret=SECRET) as threaded,
        SyncDatabase(cluster.superuser_url(), cache=threaded),
    ):
        pass
