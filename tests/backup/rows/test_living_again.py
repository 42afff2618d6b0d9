"""A row that was deleted and whose key lives again is somebody else's now: it is told, and never written over."""

from pgkeel.backup.rows import Gone
from tests.backup.rows.conftest import Pair


def test_a_key_that_was_deleted_and_lives_again_is_a_conflict_and_stays_even_where_changed_rows_are_set_back(pair: Pair) -> None:
    pair.run("UPDATE post SET title = 'edited before' WHERE id IN (2, 4)")
    pair.run("DELETE FROM comment; DELETE FROM post WHERE id IN (1, 2, 3)")
    pair.run("INSERT INTO post (id, author, title) OVERRIDING SYSTEM VALUE VALUES (1, 1, 'anew'), (2, 1, 'anew')")
    pair.run("DELETE FROM post WHERE id = 9; INSERT INTO post (id, author, title) OVERRIDING SYSTEM VALUE VALUES (9, 1, 'anew')")
    pair.run("BEGIN; DELETE FROM post WHERE id = 5; ROLLBACK; UPDATE post SET title = 'edited since' WHERE id = 5")

    done = pair.back_knowing("post", where="id < 6", changed=True)

    assert [(one.table, one.key, one.reason) for one in done.conflicts] == [
        ("post", {"id": "1"}, "its key lives again"),
        ("post", {"id": "2"}, "its key lives again"),
    ]
    assert (done.deleted, done.changed, done.restored["post"]) == (1, 2, 1)
    titles = [("anew",), ("anew",), ("title 3",), ("title 4",), ("title 5",)]
    assert pair.rows("SELECT title FROM post WHERE id < 6 ORDER BY id") == titles


def test_what_was_put_back_is_no_conflict_when_it_is_done_again(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id <= 10")
    first = pair.back_knowing("post")

    second = pair.back_knowing("post")

    assert (first.restored["post"], second.restored, second.conflicts) == (10, {}, ())


def test_what_went_with_a_row_and_was_written_anew_is_a_conflict_of_its_own(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id IN (1, 2)")
    pair.run("INSERT INTO comment VALUES (1, 20, 'anew'); UPDATE comment SET words = 'edited' WHERE id = 5")
    pair.run("DELETE FROM event WHERE id = 0; INSERT INTO event VALUES (0, 1, NULL)")

    done = pair.back_knowing("post")

    assert [(one.table, one.key, one.reason) for one in done.conflicts] == [("comment", {"id": "1"}, "its key lives again")]
    assert done.restored == {"post": 2, "comment": 5, "reply": 5, "event.post": 3}
    assert pair.rows("SELECT post, words FROM comment WHERE id = 1") == [(20, "anew")]
    assert pair.rows("SELECT post FROM event WHERE id = 0") == [(None,)]


def test_rows_of_a_partition_are_told_by_its_own_file_and_those_of_an_emptied_one_are_all_gone(pair: Pair) -> None:
    pair.run("DELETE FROM event WHERE id = 3; INSERT INTO event VALUES (3, 1, 30)")
    before = pair.back_knowing("event", dry_run=True)
    pair.run("TRUNCATE event; INSERT INTO event VALUES (3, 1, 30), (4, 1, 30)")

    done = pair.back_knowing("event")

    assert [one.key for one in before.conflicts] == [{"id": "3", "month": "1"}]
    assert [one.key for one in done.conflicts] == [{"id": "3", "month": "1"}, {"id": "4", "month": "1"}]
    assert done.restored == {"event": 58}


def test_every_row_of_a_table_that_was_dropped_and_made_anew_was_deleted(pair: Pair) -> None:
    pair.run("DROP TABLE reply; CREATE TABLE reply (id int PRIMARY KEY, comment int, author int)")
    pair.run("INSERT INTO reply VALUES (1, 1, 2), (2, 50, 1)")

    done = pair.back_knowing("reply")

    assert [one.key for one in done.conflicts] == [{"id": "2"}]
    assert done.restored == {"reply": 88}


def test_what_could_not_be_told_is_said_once(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id = 1")

    done = pair.back("post", deletions=lambda _: Gone(warnings=("the WAL has a gap",)))

    assert (done.warnings, done.restored["post"]) == (("the WAL has a gap",), 1)
