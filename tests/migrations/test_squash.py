"""One file for many: old databases see it as applied, new ones come out the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.local import Cluster
from pgkeel.migrations import Options, Source, down, status, up
from pgkeel.migrations.errors import BadMigration, HalfApplied
from pgkeel.migrations.squash import plan_squash, write_squash
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import snapshot
from tests.migrations.folders import Tables, Write

FILES = {
    "20240101120000_roles": "-- Up Migration\nBEGIN;\nCREATE TABLE roles (name text);\n"
    "INSERT INTO roles VALUES ('user');\nCOMMIT;\n-- Down Migration\nDROP TABLE roles;\n",
    "20240102120000_index": "-- Up Migration\nCREATE INDEX CONCURRENTLY roles_name ON roles (name);\n"
    "-- Down Migration\nDROP INDEX CONCURRENTLY roles_name;\n",
    "20240103120000_posts": "-- Up Migration\nCREATE TABLE posts (id int);\n-- Down Migration\nDROP TABLE posts;\n",
    "20240104120000_later": "-- Up Migration\nCREATE TABLE later (id int);\n-- Down Migration\nDROP TABLE later;\n",
}
LAST = "20240103120000"
# kills itself just before the Nth change of a name in the folder
KILLED = """
import os, signal, sys
from pathlib import Path
from pgkeel.migrations import Source
from pgkeel.migrations.squash import plan_squash, write_squash
left = int(sys.argv[2])
def watch(event, arguments):
    global left
    if event in ("os.rename", "os.remove") and "migrations" in str(arguments[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
source = Source("app", Path(sys.argv[1]))
plan = plan_squash(source, "20240103120000")
sys.addaudithook(watch)
write_squash(plan, source, "20240103120000")
"""


@pytest.fixture
def files(write: Write) -> None:
    for name, text in FILES.items():
        write(name, text)


@pytest.fixture
def new(cluster: Cluster) -> Iterator[Connection]:
    """A connection to a new empty database."""
    cluster.create_database("new")
    with connect(cluster.superuser_url("new")) as opened:
        yield opened
    cluster.drop_database("new")


def squash(app: Source) -> str:
    return write_squash(plan_squash(app, LAST), app, LAST)


def names(app: Source) -> list[str]:
    return sorted(path.name for path in app.folder.iterdir())


@pytest.mark.majors
def test_an_old_database_sees_it_as_applied_and_a_new_one_comes_out_the_same(
    connection: Connection, new: Connection, app: Source, files: None
) -> None:
    up(connection, [app])

    squash(app)
    up(new, [app])

    assert names(app) == ["20240103120000_squashed.sql", "20240104120000_later.sql"]
    assert [(one.name, one.state, one.is_edited) for one in status(connection, [app]).migrations] == [
        ("squashed", "applied", False),
        ("later", "applied", False),
    ]
    assert up(connection, [app]).steps == ()
    assert snapshot(new).fingerprint == snapshot(connection).fingerprint
    assert new.execute("SELECT name FROM roles").fetchall() == [{"name": "user"}]


def test_it_goes_down_in_old_and_new_databases(
    connection: Connection, new: Connection, app: Source, files: None, tables: Tables
) -> None:
    up(connection, [app], Options(to=LAST))
    squash(app)
    up(new, [app], Options(to=LAST))

    for database in (connection, new):
        assert [step.name for step in down(database, [app], Options(allow_data_loss=True)).steps] == ["squashed"]

    assert tables() == set()
    assert snapshot(new).only("table").objects == ()


def test_a_database_between_old_and_new_is_told_the_way_out(connection: Connection, app: Source, files: None) -> None:
    up(connection, [app], Options(to="20240102120000"))
    squash(app)

    with pytest.raises(HalfApplied, match="replaces 3 migrations, 2 of them applied"):
        up(connection, [app])


@pytest.mark.faults
@pytest.mark.parametrize("moment", range(5))
def test_a_kill_at_any_moment_is_finished_by_the_same_command(app: Source, files: None, moment: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(app.folder), str(moment)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL

    squash(app)

    assert names(app) in (
        ["20240103120000_squashed.sql", "20240104120000_later.sql"],
        [".20240103120000_squashed.part", "20240103120000_squashed.sql", "20240104120000_later.sql"],
    )
    assert "CREATE TABLE roles" in (app.folder / "20240103120000_squashed.sql").read_text()


def test_what_cannot_be_put_together_is_refused(app: Source, write: Write, files: None) -> None:
    with pytest.raises(NotFound):
        plan_squash(app, "20230101120000")
    with pytest.raises(UsageError, match="nothing to squash"):
        plan_squash(app, "20240101120000")
    write("20240102120000_index", "-- Up Migration\nSET lock_timeout = '1s';\nSELECT 1;\n-- Down Migration\nSELECT 1;\n")
    with pytest.raises(BadMigration, match="SET outside of a transaction"):
        plan_squash(app, LAST)


def test_a_squashed_file_can_be_squashed_again(connection: Connection, app: Source, files: None) -> None:
    up(connection, [app])
    squash(app)
    up(connection, [app])
    write_squash(plan_squash(app, "20240104120000"), app, "20240104120000")

    assert names(app) == ["20240104120000_squashed.sql"]
    assert [one.state for one in status(connection, [app]).migrations] == ["applied"]
