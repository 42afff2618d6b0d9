"""What was done to a table is found, however many files it has been since it was written down, and whatever changed them."""

import pytest

from pgkeel.backup.recovery.errors import AmbiguousTarget
from pgkeel.backup.recovery.search import TableFiles, candidates, cut_of
from pgkeel.backup.recovery.wish import Statement, Word, wish_from
from pgkeel.core.clock import now
from tests.backup.recovery.conftest import History, files_of


def rows_of(history: History, word: Word, table: TableFiles) -> list[int | None]:
    wal = history.wal()
    found = candidates(Statement(word, "public", "t"), wal, history.tools, table, tuple(wal.commits(history.tools)))
    return [one.rows for one in found]


def made(history: History, name: str, columns: str = "id int PRIMARY KEY, words text, more int UNIQUE") -> None:
    history.sql(f"CREATE TABLE {name} ({columns})", f"INSERT INTO {name} SELECT n, n, n FROM generate_series(1, 100) AS n")


@pytest.mark.majors
@pytest.mark.parametrize("is_known_now", [False, True])
def test_a_deletion_in_a_file_between_two_that_are_known_is_found(history: History, *, is_known_now: bool) -> None:
    name = f"l1_{is_known_now:d}"
    made(history, name)
    then = files_of(history, name)
    history.sql(f"TRUNCATE {name}", f"INSERT INTO {name} SELECT n, n, n FROM generate_series(1, 100) AS n")
    history.sql(f"DELETE FROM {name} WHERE id <= 40", f"VACUUM FULL {name}", f"DELETE FROM {name} WHERE id <= 47")
    history.sql(f"ALTER TABLE {name} ALTER more TYPE bigint, ALTER id TYPE bigint", f"DELETE FROM {name} WHERE id <= 50")
    history.sql(f"CLUSTER {name} USING {name}_pkey", f"DELETE FROM {name} WHERE id = 99", f"TRUNCATE {name}")

    table = files_of(history, name) if is_known_now else then

    assert rows_of(history, "DELETE", table) == [40, 7, 3, 1]
    assert rows_of(history, "TRUNCATE", table) == [None, None]


def test_where_rows_are_not_counted_nobody_is_asked_for_their_number(history: History) -> None:
    made(history, "l9")
    table = files_of(history, "l9")
    history.sql("TRUNCATE l9", "TRUNCATE l9", "INSERT INTO l9 VALUES (1)", "TRUNCATE l9")

    with pytest.raises(AmbiguousTarget) as refused:
        cut_of(wish_from(before="TRUNCATE on l9", now=now()), history.wal(), history.tools, lambda _: table)

    assert refused.value.hint == "choose: --before-xid N or --latest"


@pytest.mark.majors
def test_what_carries_the_rows_over_empties_no_table(history: History) -> None:
    made(history, "l2")
    table = files_of(history, "l2")
    history.sql("VACUUM FULL l2", "CLUSTER l2 USING l2_pkey", "ALTER TABLE l2 ALTER more TYPE bigint", "REINDEX TABLE l2")

    assert rows_of(history, "TRUNCATE", table) == []


@pytest.mark.majors
def test_of_tables_that_are_truncated_together_each_has_its_own_file(history: History) -> None:
    for name in ("l3_a", "l3_b", "l3_c"):
        made(history, name, "id int PRIMARY KEY, words text, more int" if name != "l3_b" else "id int, words int, more int")
    tables = {name: files_of(history, name) for name in ("l3_a", "l3_b", "l3_c")}
    history.sql("TRUNCATE l3_a, l3_b, l3_c")
    for number, name in enumerate(tables, 1):
        history.sql(
            f"INSERT INTO {name} SELECT n, n, n FROM generate_series(1, 9) AS n", f"DELETE FROM {name} WHERE id <= {number}"
        )
    history.sql("TRUNCATE l3_a, l3_b, l3_c")

    assert {name: rows_of(history, "DELETE", table) for name, table in tables.items()} == {"l3_a": [1], "l3_b": [2], "l3_c": [3]}


@pytest.mark.majors
def test_tables_that_are_rewritten_together_are_told_apart(history: History) -> None:
    history.sql("CREATE TABLE l4 (id int, words text, more int, PRIMARY KEY (id, more)) PARTITION BY LIST (more)")
    for number in (1, 2, 3):
        history.sql(f"CREATE TABLE l4_{number} PARTITION OF l4 FOR VALUES IN ({number})")
    history.sql("INSERT INTO l4 SELECT n, n, 1 + n % 3 FROM generate_series(1, 90) AS n")
    tables = {name: files_of(history, name) for name in ("l4_1", "l4_2", "l4_3")}
    history.sql("ALTER TABLE l4 ALTER id TYPE bigint")
    for number, name in enumerate(tables, 1):
        history.sql(f"DELETE FROM {name} WHERE id <= {10 * number}")

    found = {name: len(rows_of(history, "DELETE", table)) for name, table in tables.items()}

    assert found == {"l4_1": 1, "l4_2": 1, "l4_3": 1}
    assert rows_of(history, "TRUNCATE", tables["l4_2"]) == []


@pytest.mark.majors
def test_a_table_that_goes_with_a_new_one_in_its_transaction_does_not_become_it(history: History) -> None:
    made(history, "l5")
    table = files_of(history, "l5")
    history.sql("BEGIN; DROP TABLE l5; CREATE TABLE l5_other (id int PRIMARY KEY, words text, more int UNIQUE); COMMIT")
    history.sql("INSERT INTO l5_other VALUES (1, 1, 1)", "DELETE FROM l5_other")

    assert rows_of(history, "DELETE", table) == []
    assert rows_of(history, "TRUNCATE", table) == []
    assert rows_of(history, "DROP", table) == [None]


@pytest.mark.majors
def test_chunks_of_a_long_value_count_as_no_rows(history: History) -> None:
    made(history, "l6", "id int, words text, more int")
    table = files_of(history, "l6")
    history.sql("ALTER TABLE l6 ALTER words SET STORAGE EXTERNAL", "VACUUM FULL l6", "TRUNCATE l6")
    history.sql("INSERT INTO l6 SELECT n, repeat('x', 9000), n FROM generate_series(1, 3) AS n", "VACUUM FULL l6")
    history.sql("UPDATE l6 SET words = 'short' WHERE id = 3", "DELETE FROM l6 WHERE id <= 2", "VACUUM FULL l6")

    assert rows_of(history, "DELETE", table) == [2]
    assert rows_of(history, "UPDATE", table) == [1]


@pytest.mark.majors
def test_a_row_that_an_update_moves_to_another_partition_was_updated(history: History) -> None:
    history.sql("CREATE TABLE l7 (id int, more int) PARTITION BY LIST (more)")
    history.sql("CREATE TABLE l7_1 PARTITION OF l7 FOR VALUES IN (1)", "CREATE TABLE l7_2 PARTITION OF l7 FOR VALUES IN (2)")
    history.sql("INSERT INTO l7 VALUES (1, 1), (2, 1)", "UPDATE l7 SET more = 2 WHERE id = 1")
    table = files_of(history, "l7_1")

    assert rows_of(history, "UPDATE", table) == [1]
    assert rows_of(history, "DELETE", table) == []


def test_many_files_are_looked_for_at_once(history: History) -> None:
    history.sql("CREATE TABLE l8 (id int, more int) PARTITION BY LIST (more)")
    for number in range(12):
        history.sql(f"CREATE TABLE l8_{number} PARTITION OF l8 FOR VALUES IN ({number})")
    history.sql("INSERT INTO l8 SELECT n, n % 12 FROM generate_series(1, 60) AS n", "DELETE FROM l8 WHERE id <= 24")
    tables = [files_of(history, f"l8_{number}") for number in range(12)]
    table = TableFiles(frozenset().union(*(one.files for one in tables)), frozenset().union(*(one.oids for one in tables)))

    assert rows_of(history, "DELETE", table) == [24]
