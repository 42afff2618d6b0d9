"""Closed partitions are noted with a backup and hashed again after a restore; what somebody wrote there since is no fault."""

from functools import partial

import msgspec
import pytest

from pgkeel.backup.closed import Closed, closed_partitions
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.partitions import noted_in, partitions_check, touched_in
from pgkeel.postgres import connect
from tests.backup.recovery.conftest import History

FAR = 2**62
SETUP = """
CREATE TABLE p (n int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE p_2019 PARTITION OF p FOR VALUES FROM ('2019-01-01 00:00:00+00') TO ('2020-01-01 00:00:00+00');
CREATE TABLE p_2020 PARTITION OF p FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2021-01-01 00:00:00+00');
CREATE TABLE p_now PARTITION OF p FOR VALUES FROM ('2021-01-01 00:00:00+00') TO (MAXVALUE);
CREATE TABLE p_rest PARTITION OF p DEFAULT;
INSERT INTO p SELECT n, '2019-06-01' FROM generate_series(1, 100) AS n;
INSERT INTO p SELECT n, '2020-06-01' FROM generate_series(1, 50) AS n;
INSERT INTO p SELECT n, now() FROM generate_series(1, 5) AS n;
"""


@pytest.fixture
def noted(history: History) -> tuple[Closed, ...]:
    history.sql("DROP TABLE IF EXISTS p", SETUP, "SELECT pg_switch_wal()")
    with history.connect() as connection:
        return closed_partitions(connection)


def look(history: History, noted: tuple[Closed, ...]) -> Check:
    with history.connect() as connection:
        return partitions_check(connection, noted, partial(touched_in, history.wal(), history.tools, FAR))


def test_partitions_whose_time_is_over_are_noted_the_newest_first(noted: tuple[Closed, ...]) -> None:
    assert [(one.name, one.rows) for one in noted] == [("p_2020", 50), ("p_2019", 100)]
    assert noted_in(msgspec.json.encode(noted)) == noted


def test_one_to_which_an_open_transaction_has_written_is_left_out(history: History, noted: tuple[Closed, ...]) -> None:
    with history.connect() as writer, history.connect() as reader, writer.transaction():
        writer.execute("DELETE FROM p_2019 WHERE n = 1")
        assert [one.name for one in closed_partitions(reader)] == ["p_2020"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM p WHERE n = 7 AND at < '2020-01-01'",
        "TRUNCATE p_2019",
        "DROP TABLE p_2019",
        "INSERT INTO p SELECT n, '2019-07-01' FROM generate_series(1, 200) AS n",
    ],
)
def test_what_somebody_wrote_since_is_no_fault(history: History, noted: tuple[Closed, ...], statement: str) -> None:
    assert look(history, noted) == Check("partitions", True, "2 closed partitions hash equal")
    start = history.value("SELECT pg_current_wal_lsn()::text")
    history.sql(statement, "VACUUM p")
    wal = msgspec.structs.replace(history.wal(), start=parse_lsn(str(start)))
    with history.connect() as connection:
        found = partitions_check(connection, noted, partial(touched_in, wal, history.tools, FAR))
    assert found == Check("partitions", True, "1 closed partition hash equal, 1 were written to since")


def test_what_changed_without_a_statement_is_a_fault(history: History, noted: tuple[Closed, ...]) -> None:
    history.sql("DELETE FROM p WHERE n = 7 AND at < '2020-01-01'")
    start = parse_lsn(str(history.value("SELECT pg_current_wal_lsn()::text")))
    history.sql("VACUUM p_2019", "CREATE TABLE IF NOT EXISTS something_else ()")
    wal = msgspec.structs.replace(history.wal(), start=start)
    with history.connect() as connection:
        wrong = partitions_check(connection, noted, partial(touched_in, wal, history.tools, FAR))
        unknown = partitions_check(connection, noted, lambda _: None)
    assert wrong == Check("partitions", False, "p_2019: not what was backed up, though nobody wrote there since")
    assert unknown.ok is None


def test_a_partition_that_may_not_be_read_is_left_out(history: History, noted: tuple[Closed, ...]) -> None:
    history.sql("DROP ROLE IF EXISTS nobody_reads", "CREATE ROLE nobody_reads LOGIN PASSWORD 'x'")
    url = history.cluster.superuser_url()
    with connect(url) as connection:
        connection.execute("SET ROLE nobody_reads")
        assert closed_partitions(connection) == ()
