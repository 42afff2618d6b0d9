"""Taking over a database that was made without the ledger."""

from functools import partial

import pytest

from pgkeel.core.errors import NotFound
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source, down, status, up
from pgkeel.migrations.baseline import SchemaDiffers, baseline
from pgkeel.migrations.scratch import Scratch, scratch_on
from pgkeel.migrations.verify import verify
from pgkeel.postgres import Connection
from tests.migrations.folders import Tables, Write

T = "-- Up Migration\nCREATE TABLE t (id int PRIMARY KEY);\n-- Down Migration\nDROP TABLE t;\n"
U = T.replace(" t", " u")


@pytest.fixture
def scratch(superuser: Url) -> Scratch:
    return partial(scratch_on, superuser)


@pytest.fixture
def files(write: Write) -> None:
    write("20240101120000_t", T)
    write("20240102120000_u", U)


def states(connection: Connection, app: Source) -> list[str]:
    return [one.state for one in status(connection, [app]).migrations]


@pytest.mark.majors
def test_a_database_that_looks_right_is_taken_over_and_goes_on(
    connection: Connection, app: Source, files: None, scratch: Scratch, tables: Tables
) -> None:
    connection.execute("CREATE TABLE t (id int PRIMARY KEY)")

    done = baseline(connection, [app], "20240101120000", scratch=scratch)

    assert done.recorded == ("app 20240101120000_t",)
    assert states(connection, app) == ["baseline", "pending"]
    assert verify(connection, [app]).violations == ()
    assert [step.name for step in up(connection, [app]).steps] == ["u"]
    down(connection, [app], count=2)
    assert tables() == set()


def test_a_database_that_looks_otherwise_is_refused_unless_a_reason_is_given(
    connection: Connection, app: Source, files: None, scratch: Scratch
) -> None:
    connection.execute("CREATE TABLE t (id bigint PRIMARY KEY)")

    with pytest.raises(SchemaDiffers, match=r"public\.t\.id") as refused:
        baseline(connection, [app], "20240101120000", scratch=scratch)
    assert refused.value.exit_code == 4
    assert states(connection, app) == ["pending", "pending"]
    baseline(connection, [app], "20240101120000", scratch=scratch, reason="bigint is on its way")

    assert states(connection, app) == ["baseline", "pending"]
    row = connection.execute("SELECT facts FROM pgkeel.migration_log WHERE event = 'forced'").fetchone()
    assert row == {"facts": {"reason": "bigint is on its way"}}


def test_a_dry_run_writes_nothing_and_a_second_run_records_nothing(
    connection: Connection, app: Source, files: None, scratch: Scratch
) -> None:
    connection.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")

    planned = baseline(connection, [app], "20240102120000", scratch=scratch, options=Options(dry_run=True))
    assert states(connection, app) == ["pending", "pending"]
    done = baseline(connection, [app], "20240102120000", scratch=scratch)
    again = baseline(connection, [app], "20240102120000", scratch=scratch)

    assert planned.recorded == done.recorded == ("app 20240101120000_t", "app 20240102120000_u")
    assert again.recorded == ()


def test_an_unknown_version_or_source_is_refused(connection: Connection, app: Source, files: None, scratch: Scratch) -> None:
    with pytest.raises(NotFound, match="20250101120000"):
        baseline(connection, [app], "20250101120000", scratch=scratch)
    with pytest.raises(NotFound, match="nobody"):
        baseline(connection, [app], "20240101120000", source="nobody", scratch=scratch)
