from datetime import UTC, datetime, timedelta

import pytest

from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.cut import Cut
from pgkeel.backup.recovery.errors import AmbiguousTarget, TargetNotFound
from pgkeel.backup.recovery.search import TableFiles, cut_of
from pgkeel.backup.recovery.wish import Statement, Wish, wish_from
from pgkeel.core.errors import UsageError
from tests.backup.recovery.conftest import History, files_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def find(history: History, wish: Wish, table: TableFiles = TableFiles()) -> Cut:  # noqa: B008 - frozen
    return cut_of(wish, history.wal(), history.tools, lambda _: table)


def test_a_deletion_is_found_by_the_name_of_its_table(history: History) -> None:
    history.sql("CREATE TABLE a (n int PRIMARY KEY)", "INSERT INTO a SELECT generate_series(1, 100)")
    with history.connect() as connection, connection.transaction():
        connection.execute("DELETE FROM a WHERE n <= 40")
        xid = connection.execute("SELECT txid_current() AS xid").fetchone()
    history.sql("INSERT INTO a VALUES (1000)")

    cut = find(history, wish_from(before="DELETE on a", now=NOW), files_of(history, "a"))

    assert xid is not None
    assert cut.left is not None
    assert cut.left.xid == xid["xid"]


def test_rows_deleted_in_a_savepoint_count_for_the_transaction_around_it(history: History) -> None:
    history.sql("CREATE TABLE b (n int PRIMARY KEY)", "INSERT INTO b SELECT generate_series(1, 100)")
    with history.connect() as connection, connection.transaction():
        outer = connection.execute("SELECT txid_current() AS xid").fetchone()
        with connection.transaction():
            connection.execute("DELETE FROM b WHERE n <= 7")

    cut = find(history, wish_from(before="DELETE on b", rows="= 7", now=NOW), files_of(history, "b"))

    assert outer is not None
    assert cut.left is not None
    assert cut.left.xid == outer["xid"]


def test_several_deletions_are_listed_with_their_rows_until_one_is_chosen(history: History) -> None:
    history.sql("CREATE TABLE c (n int PRIMARY KEY)", "INSERT INTO c SELECT generate_series(1, 100)")
    history.sql("DELETE FROM c WHERE n = 1", "DELETE FROM c WHERE n BETWEEN 2 AND 60", "DELETE FROM c WHERE n = 61")
    table = files_of(history, "c")

    with pytest.raises(AmbiguousTarget) as refused:
        find(history, wish_from(before="DELETE on c", now=NOW), table)
    large = find(history, wish_from(before="DELETE on c", rows=">= 50", now=NOW), table)
    latest = find(history, wish_from(before="DELETE on c", latest=True, now=NOW), table)

    assert refused.value.exit_code == 4
    listed = refused.value.data["candidates"]
    assert [one["rows"] for one in listed] == [1, 59, 1]
    assert large.left is not None
    assert large.left.xid == listed[1]["xid"]
    assert latest.left is not None
    assert latest.left.xid == listed[2]["xid"]


def test_what_was_deleted_before_the_search_begins_is_no_candidate(history: History) -> None:
    history.sql(
        "CREATE TABLE c2 (n int PRIMARY KEY)", "INSERT INTO c2 SELECT generate_series(1, 9)", "DELETE FROM c2 WHERE n = 1"
    )
    with history.connect() as connection:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None
    history.sql("DELETE FROM c2 WHERE n = 2")
    table, wish = files_of(history, "c2"), wish_from(before="DELETE on c2", now=NOW)

    cut = cut_of(wish, history.wal(), history.tools, lambda _: table, since=row["now"])

    assert cut.left is not None
    assert cut.left.time > row["now"]


def test_truncating_and_dropping_are_told_apart(history: History) -> None:
    history.sql("CREATE TABLE d (n int PRIMARY KEY)", "INSERT INTO d VALUES (1)")
    before = files_of(history, "d")
    history.sql("TRUNCATE d")
    after = files_of(history, "d")
    history.sql("DROP TABLE d")
    known = TableFiles(before.files | after.files, before.oids)

    truncated = find(history, wish_from(before="TRUNCATE on d", now=NOW), known)
    dropped = find(history, wish_from(before="DROP on d", now=NOW), known)

    assert truncated.left is not None
    assert dropped.left is not None
    assert dropped.kept is not None
    assert dropped.kept == truncated.left


def test_nothing_found_says_so(history: History) -> None:
    history.sql("CREATE TABLE e (n int PRIMARY KEY)")
    with pytest.raises(TargetNotFound, match=r"no committed transaction did DELETE on public\.e"):
        find(history, wish_from(before="DELETE on e", now=NOW), files_of(history, "e"))
    with pytest.raises(TargetNotFound, match="knows"):
        find(history, wish_from(before="DELETE on unknown", now=NOW))
    with pytest.raises(TargetNotFound, match="restore point") as unknown:
        find(history, wish_from("never-made", now=NOW))
    assert "minutes ago" in str(unknown.value.hint)
    with pytest.raises(TargetNotFound, match="transaction 4000000000"):
        find(history, wish_from(before_xid=4_000_000_000, now=NOW))


def test_what_the_server_says_about_a_place_is_a_target(history: History) -> None:
    history.sql("CREATE TABLE f (n int PRIMARY KEY)", "INSERT INTO f VALUES (1)")
    point = history.value("SELECT pg_create_restore_point('before f')::text")
    history.sql("INSERT INTO f VALUES (2)")

    by_name = find(history, wish_from("before f", now=NOW))
    by_place = find(history, wish_from(str(point), now=NOW))

    assert by_name == by_place
    assert by_name.left is not None
    assert by_name.left.lsn > parse_lsn(str(point)) - 1


def test_two_restore_points_of_one_name_are_refused(history: History) -> None:
    history.sql("SELECT pg_create_restore_point('twice')", "SELECT pg_create_restore_point('twice')")
    history.sql("CREATE TABLE flushed_by_its_commit ()")
    with pytest.raises(AmbiguousTarget) as refused:
        find(history, wish_from("twice", now=NOW))
    assert len(refused.value.data["candidates"]) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25 11:00", datetime(2026, 11, 25, 11, tzinfo=UTC)),
        ("2026-11-25T12:00:00+02:00", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("10 minutes ago", NOW - timedelta(minutes=10)),
        ("1.5 hours ago", NOW - timedelta(hours=1.5)),
        ("2 days ago", NOW - timedelta(days=2)),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: datetime) -> None:
    assert wish_from(text, now=NOW).time == expected


def test_a_transaction_may_be_named_as_the_server_says_it_after_its_numbers_began_anew() -> None:
    assert wish_from(before_xid=(3 << 32) + 1000, now=NOW).xid == 1000


def test_a_statement_is_read_with_its_quoted_names() -> None:
    assert wish_from(before='drop on "Sales"."Order"', now=NOW).before == Statement("DROP", "Sales", "Order")
    assert wish_from(before="DELETE FROM Posts", now=NOW).before == Statement("DELETE", "public", "posts")
    assert wish_from(before="DELETE onboarding", now=NOW).before == Statement("DELETE", "public", "onboarding")
    assert wish_from(before="TRUNCATE TABLE on_hold", now=NOW).before == Statement("TRUNCATE", "public", "on_hold")


@pytest.mark.parametrize(
    "options",
    [
        {"to": "0/1", "before_xid": 5},
        {"to": "2027-01-01"},
        {"before": "INSERT on posts"},
        {"before": "DELETE on posts; drop table x"},
        {"before": "DELETE on posts", "rows": "many"},
        {"latest": True},
        {"to": ""},
        {"to": " "},
        {"to": "99999999999 days ago"},
        {"to": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        wish_from(**options, now=NOW)  # type: ignore[arg-type]
