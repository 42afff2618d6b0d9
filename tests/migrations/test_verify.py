"""What `verify` sees, and what it leaves alone."""

import pytest

from pgkeel.migrations import Source, down, up
from pgkeel.migrations.scratch import Scratch
from pgkeel.migrations.verify import Verdict, verify
from pgkeel.postgres import Connection
from tests.migrations.folders import Write
from tests.migrations.test_conversion import MUTATIONS, SCHEMA

TABLE = "-- Up Migration\nCREATE TABLE t (id int PRIMARY KEY, n int);\n-- Down Migration\nDROP TABLE t;\n"


def codes(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.code, one.object) for one in verdict.violations]


@pytest.mark.majors
def test_every_kind_of_change_by_hand_is_seen(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_all", f"-- Up Migration\n{SCHEMA}\n-- pgkeel: irreversible -- a test\n")
    up(connection, [app])
    assert verify(connection, [app]).violations == ()

    unseen = set()
    for kind, mutation in MUTATIONS.items():
        with connection.transaction(force_rollback=True):
            connection.execute(mutation.encode())
            found = verify(connection, [app])
        assert found.expected_from == "ledger"
        if not any(one.code == "drift" for one in found.violations):
            unseen.add(kind)

    assert unseen == {"partition"}  # made at run time, as the agent makes them


def test_a_partition_that_is_gone_is_no_drift_but_its_parent_is(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_all", f"-- Up Migration\n{SCHEMA}\n-- pgkeel: irreversible -- a test\n")
    up(connection, [app])

    connection.execute("DROP TABLE days_2024")
    assert verify(connection, [app]).violations == ()
    connection.execute("DROP TABLE days")
    assert ("drift", "table public.days") in codes(verify(connection, [app]))


def test_down_leaves_a_schema_that_is_no_drift(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_t", TABLE)
    write("20240102120000_u", TABLE.replace(" t", " u"))
    up(connection, [app])
    down(connection, [app])

    found = verify(connection, [app])

    assert (found.expected_from, found.violations) == ("ledger", ())


def test_where_the_ledger_does_not_know_the_files_do(connection: Connection, app: Source, write: Write, scratch: Scratch) -> None:
    write("20240101120000_t", TABLE)
    up(connection, [app])
    connection.execute(  # as when the runner dies before it has noted the schema
        "INSERT INTO pgkeel.migration_log (run, source, version, direction, event, unit, tool_version)"
        " VALUES (gen_random_uuid(), 'app', '20240101120000', 'up', 'applied', 1, '0')"
    )
    connection.execute("ALTER TABLE t DROP COLUMN n")

    blind, seeing = verify(connection, [app]), verify(connection, [app], scratch=scratch)

    assert (blind.expected_from, blind.violations) == ("nothing", ())
    assert (seeing.expected_from, codes(seeing)) == ("files", [("drift", "column public.t.n")])
    assert "missing" in seeing.violations[0].message


def test_edited_missing_and_half_applied_files_are_named(connection: Connection, app: Source, write: Write) -> None:
    first = write("20240101120000_t", TABLE)
    second = write("20240102120000_u", TABLE.replace(" t", " u"))
    up(connection, [app])
    first.write_text(TABLE.replace("n int", "n bigint"))
    second.unlink()

    assert codes(verify(connection, [app])) == [
        ("edited", "app 20240101120000_t"),
        ("missing_file", "app 20240102120000_u"),
    ]


def test_invalid_indexes_and_unvalidated_constraints_are_found(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_t", TABLE)
    up(connection, [app])
    connection.execute("INSERT INTO t VALUES (1, 1), (2, 1); ALTER TABLE t ADD CONSTRAINT small CHECK (n < 1) NOT VALID")
    with pytest.raises(Exception, match="could not create unique index"):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY bad ON t (n)")

    found = verify(connection, [app])

    assert {("invalid_index", "public.bad"), ("unvalidated_constraint", "public.t.small")} <= set(codes(found))
    assert "ALTER TABLE public.t VALIDATE CONSTRAINT small" in [one.fix for one in found.violations]


def test_a_scratch_database_is_gone_afterwards(connection: Connection, app: Source, write: Write, scratch: Scratch) -> None:
    write("20240101120000_t", TABLE)
    up(connection, [app])

    verify(connection, [app], scratch=scratch, from_files=True)

    assert connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pgkeel_scratch%'").fetchall() == []
