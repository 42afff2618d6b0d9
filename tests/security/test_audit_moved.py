"""A log that pg_dump and pg_restore bring into another database: what was sealed stays proved, with no alarm."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pgkeel.core.url import Url
from pgkeel.local import Cluster, Runtime
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import FileSink, anchor, install, plan, search, verify
from pgkeel.security.roles import ensure_roles
from tests.conftest import MakeCluster
from tests.security.test_audit import PEOPLE, bare, db, granted, people, seal_it, sink

__all__ = ["bare", "db", "sink"]


_NAMES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


@pytest.fixture
def other_database(cluster: Cluster) -> Iterator[Url]:
    cluster.create_database("moved")
    yield cluster.superuser_url("moved")
    cluster.drop_database("moved")


def run(runtime: Runtime, url: Url, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own tools against a database."""
    where = {_NAMES[key]: value for key, value in url.keywords().items() if key in _NAMES}
    command = [str(runtime.program(program)), *arguments]
    subprocess.run(command, env={**runtime.environment, **where}, check=True, capture_output=True)


def carry_over_and_look(db: Connection, source: Url, target: Url, sink: FileSink, runtime: Runtime) -> None:
    """Restore a log with seals, a dropped column and rows that wait, write on, and prove it."""
    db.execute("ALTER TABLE people DROP COLUMN data")
    install(db, plan(db, [PEOPLE]))
    people(db, 3)
    db.execute("CREATE TABLE other (id integer)")
    db.execute("GRANT SELECT ON other TO pgkeel_monitor")
    seal_it(db)
    anchor(db, [sink])
    db.execute("UPDATE people SET name = 'Ada' WHERE id = 1")
    db.execute("DELETE FROM people WHERE id = 2")
    before, told = search(db), granted(db)
    file = str(Path(sink.name).parent / "dump")
    run(runtime, source, "pg_dump", "-Fc", "-f", file)
    run(runtime, target, "pg_restore", "--exit-on-error", "-d", target.database, file)

    with connect(target) as moved:
        restored, problems = [replace(one, epoch=1) for one in search(moved)], verify(moved, [sink]).problems
        moved.execute("UPDATE people SET name = 'Bea' WHERE id = 1")
        moved.execute("GRANT INSERT ON other TO pgkeel_monitor")
        seal_it(moved)
        anchor(moved, [sink])
        moved.execute("GRANT DELETE ON other TO pgkeel_monitor")
        seal_it(moved)

        assert (restored, problems) == (list(before), ())
        assert verify(moved, [sink]).problems == ()
        assert [rights["granted"] for name, rights in granted(moved)[len(told) :]] == [
            {"pgkeel_monitor": ["INSERT", "SELECT"]},  # nothing is known of the rights before
            {"pgkeel_monitor": ["DELETE"]},
        ]
        assert [one.epoch for one in search(moved, table="public.people") if one.operation != "ddl"] == [2, 2, 2, 1, 1, 1]
        assert plan(moved, [PEOPLE]).steps == ()


def test_a_log_restored_into_another_database_raises_no_alarm(
    db: Connection, empty_db: Url, other_database: Url, sink: FileSink, runtime: Runtime
) -> None:
    carry_over_and_look(db, empty_db, other_database, sink, runtime)


@pytest.mark.long
def test_a_log_restored_into_another_cluster_raises_no_alarm(
    db: Connection, empty_db: Url, make_cluster: MakeCluster, sink: FileSink, runtime: Runtime
) -> None:
    cluster = make_cluster()
    cluster.start()
    cluster.create_database("moved")
    with connect(cluster.superuser_url("moved")) as connection:
        ensure_roles(connection)
    carry_over_and_look(db, empty_db, cluster.superuser_url("moved"), sink, runtime)
