"""A backfill and a real standby: it goes no faster than the standby can follow."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.core.secret import Secret
from pgkeel.core.units import Size
from pgkeel.local import Cluster
from pgkeel.migrations import Source, backfill, up
from pgkeel.migrations.backfill.throttle import Throttle
from pgkeel.postgres import connect
from tests.conftest import MakeCluster
from tests.migrations.folders import Write

FOLLOWS = "SELECT FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = pg_current_wal_lsn()"
FILE = """-- Up Migration
CREATE TABLE people (id bigint PRIMARY KEY, filled text);
INSERT INTO people SELECT g FROM generate_series(1, 5000) AS g;
-- Down Migration
DROP TABLE people;
-- Backfill Migration table=people batch=100 pause=0ms
UPDATE people SET filled = repeat('x', 200) WHERE id > :lo AND id <= :hi;
"""


@pytest.fixture
def pair(make_cluster: MakeCluster, place: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and a standby that follows it."""
    with make_cluster("primary") as primary:
        with connect(primary.superuser_url()) as connection:
            connection.execute("CREATE ROLE copyist LOGIN REPLICATION PASSWORD 'copyist'")
        plan, login = primary.plan, primary.superuser_url().with_login("copyist", Secret("copyist"))
        standby = Cluster.create_standby(
            place / "standby",
            primary=login,
            slot="standby",
            runtime=plan.runtime,
            account=plan.account,
            superuser_password=plan.superuser_password,
            settings=plan.settings,
        )
        with standby:
            yield primary, standby


def test_a_backfill_waits_while_a_standby_is_behind_and_goes_on_when_it_has_caught_up(
    pair: tuple[Cluster, Cluster], app: Source, write: Write
) -> None:
    primary, standby = pair
    write("20240101000000_people", FILE)
    said = threading.Event()
    throttle = Throttle(batch=100, max_lag=Size.parse("128KiB"))
    with (
        connect(primary.superuser_url()) as runner,
        connect(primary.superuser_url()) as looking,
        connect(standby.superuser_url()) as other,
    ):
        up(runner, [app])
        while not looking.execute(FOLLOWS).rowcount:
            time.sleep(0.05)
        other.execute("SELECT pg_wal_replay_pause()")
        work = threading.Thread(
            target=backfill.run, args=(runner,), kwargs={"throttle": throttle, "report": lambda _: said.set()}
        )
        work.start()
        assert said.wait(timeout=60)

        held = looking.execute("SELECT rows_done, status FROM pgkeel.backfills").fetchone()
        behind = looking.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS n FROM pg_stat_replication"
        ).fetchone()
        is_waiting = work.is_alive()
        other.execute("SELECT pg_wal_replay_resume()")
        work.join()

        assert held is not None
        assert behind is not None
        assert (held["status"], 0 < held["rows_done"] < 5000, is_waiting) == ("running", True, True)
        assert behind["n"] > throttle.max_lag
        done = looking.execute("SELECT rows_done, status FROM pgkeel.backfills").fetchone()
        assert done == {"rows_done": 5000, "status": "finished"}
