"""Rows that were deleted after a point are told from those that were updated, by what the WAL says of their places."""

from collections.abc import Mapping

import pytest

from pgkeel.backup.recovery.deletions import deleted_rows, later, was_emptied
from pgkeel.backup.recovery.wal import Commit
from tests.backup.recovery.conftest import History, files_of

PLACES = "SELECT id, (ctid::text::point)[0]::int AS block, (ctid::text::point)[1]::int AS place FROM {} ORDER BY id"


class Point:
    """What a table was like before everything that follows."""

    def __init__(self, history: History, table: str) -> None:
        self.history, self.table = history, table
        (self.file,) = files_of(history, table).files
        with history.connect() as connection:
            rows = connection.execute(PLACES.format(table).encode()).fetchall()
        self.rows = {(row["block"], row["place"]): row["id"] for row in rows}
        history.sql("CREATE TABLE IF NOT EXISTS marks ()")
        history.sql("ALTER TABLE marks ADD COLUMN x int", "ALTER TABLE marks DROP COLUMN x")
        self.kept = tuple(history.wal().commits(history.tools))[-1]

    def late(self) -> Mapping[int, Commit]:
        self.history.sql("SELECT pg_logical_emit_message(true, 'test', 'flushed')")
        return later(tuple(self.history.wal().commits(self.history.tools)), self.kept.lsn, is_kept=True)

    def deleted(self, *others: "Point") -> set[int]:
        """Which ids of then were deleted since."""
        late = self.late()
        files = [one.file for one in (self, *others)]
        found = deleted_rows(self.history.wal(), self.history.tools, files, late)
        return {self.rows[place] for place in found[self.file] if place in self.rows}

    def was_emptied(self) -> bool:
        (now,) = files_of(self.history, self.table).files
        late = self.late()
        return was_emptied(self.history.wal(), self.history.tools, self.file, now, late)


@pytest.mark.majors
def test_deleted_rows_are_told_from_updated_ones_whatever_took_their_place(history: History) -> None:
    history.sql(
        "CREATE TABLE r (id int PRIMARY KEY, words text) WITH (autovacuum_enabled = off)",
        "INSERT INTO r SELECT n, 'as it was' FROM generate_series(1, 400) AS n",
    )
    with history.connect() as early, early.transaction():
        early.execute("DELETE FROM r WHERE id = 20")
        point = Point(history, "r")
    history.sql(
        "DELETE FROM r WHERE id = 1",
        "INSERT INTO r VALUES (1, 'anew')",
        "UPDATE r SET words = 'edited' WHERE id IN (2, 3, 8)",
        "UPDATE r SET words = repeat('over to another page ', 300) WHERE id IN (2, 3)",
        "DELETE FROM r WHERE id = 2",
        "INSERT INTO r VALUES (2, 'anew')",
        "UPDATE r SET id = 1004 WHERE id = 4",
        "BEGIN; DELETE FROM r WHERE id = 5; ROLLBACK",
        "BEGIN; SAVEPOINT s; DELETE FROM r WHERE id IN (6, 7); ROLLBACK TO s; DELETE FROM r WHERE id = 7; COMMIT",
        "BEGIN; SAVEPOINT s; DELETE FROM r WHERE id = 9; RELEASE s; INSERT INTO r VALUES (9, 'anew'); COMMIT",
        "VACUUM r",
        "INSERT INTO r SELECT n, 'newcomer' FROM generate_series(2001, 2400) AS n",
        "DELETE FROM r WHERE id > 2000",
        "VACUUM r",
        "INSERT INTO r SELECT n, 'newcomer' FROM generate_series(3001, 3400) AS n",
    )
    with history.connect() as connection:
        newcomers = {(row["block"], row["place"]) for row in connection.execute(PLACES.format("r").encode()) if row["id"] > 3000}
    history.sql("UPDATE r SET words = 'edited' WHERE id > 3000", "DELETE FROM r WHERE id > 3000")

    assert {3, 4} <= {point.rows[place] for place in newcomers & point.rows.keys()}
    assert point.deleted() == {1, 2, 7, 9, 20}


@pytest.mark.majors
def test_a_row_that_an_update_moves_to_another_partition_is_not_deleted(history: History) -> None:
    history.sql(
        "CREATE TABLE m (id int, part int) PARTITION BY LIST (part)",
        "CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1)",
        "CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2)",
        "INSERT INTO m VALUES (1, 1), (2, 1), (3, 2)",
    )
    first, second = Point(history, "m1"), Point(history, "m2")
    history.sql("UPDATE m SET part = 2 WHERE id = 1", "DELETE FROM m WHERE id = 2", "DELETE FROM m WHERE id = 1")

    assert (first.deleted(second), second.deleted()) == ({2}, set())


@pytest.mark.majors
def test_a_truncated_table_is_told_from_a_rewritten_one(history: History) -> None:
    tables = {
        "truncated": ["TRUNCATE {}", "INSERT INTO {} VALUES (1)"],
        "twice": ["VACUUM FULL {}", "TRUNCATE {}", "INSERT INTO {} VALUES (1)", "TRUNCATE {}", "INSERT INTO {} VALUES (1)"],
        "rewritten": ["VACUUM FULL {}"],
        "altered": ["ALTER TABLE {} ALTER id TYPE bigint"],
        "after": ["TRUNCATE {}", "INSERT INTO {} VALUES (1)", "VACUUM FULL {}"],
    }
    for name in tables:
        history.sql(f"CREATE TABLE {name} (id int PRIMARY KEY)", f"INSERT INTO {name} VALUES (1), (2)")
    points = {name: Point(history, name) for name in tables}
    for name, statements in tables.items():
        history.sql(*(statement.format(name) for statement in statements))

    found = {name: point.was_emptied() for name, point in points.items()}

    assert found == {"truncated": True, "twice": True, "rewritten": False, "altered": False, "after": False}
