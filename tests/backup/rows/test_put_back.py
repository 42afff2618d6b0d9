import pytest

from pgkeel.backup.rows import NoPrimaryKey, RowsDoNotFit, put_back, require_condition
from pgkeel.backup.rows.shape import Table
from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.postgres import connect
from pgkeel.testing.databases import ScratchDatabase
from tests.backup.rows.conftest import Pair

POSTS = """SELECT p.*, (SELECT array_agg(c.id ORDER BY c.id) FROM comment c WHERE c.post = p.id) FROM post p WHERE p.id <= 10
ORDER BY id"""


def test_deleted_rows_come_back_verbatim_with_what_the_cascade_took_and_newer_writes_stay(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id <= 10")
    pair.run("INSERT INTO post (author, title) VALUES (1, 'newer')")
    pair.run("UPDATE post SET title = 'edited since' WHERE id = 20")

    done = pair.back("post")

    assert (done.deleted, done.conflicts) == (10, ())
    assert done.restored == {"post": 10, "comment": 30, "reply": 30, "event.post": 20}
    assert pair.rows(POSTS) == pair.rows(POSTS, past=True)
    assert pair.rows("SELECT title FROM post WHERE id IN (20, 31) ORDER BY id") == [("edited since",), ("newer",)]
    assert pair.rows("SELECT * FROM event ORDER BY id") == pair.rows("SELECT * FROM event ORDER BY id", past=True)
    assert pair.back("post").restored == {}


def test_missing_parents_come_first(pair: Pair) -> None:
    pair.run("DELETE FROM reply; DELETE FROM post WHERE author = 2; DELETE FROM author WHERE id = 2")

    done = pair.back("comment", where="id = 0")

    assert done.restored == {"comment": 1, "reply": 1, "post": 1, "author": 1, "event.post": 2}
    assert pair.rows("SELECT id FROM comment WHERE post = 1") == [(0,)]


def test_a_value_that_is_taken_is_a_conflict_with_all_that_needs_the_row(pair: Pair) -> None:
    pair.run("DELETE FROM reply; DELETE FROM post WHERE author = 3; DELETE FROM author WHERE id = 3")
    pair.run("INSERT INTO author VALUES (9, 'c@x')")

    done = pair.back("post")

    reasons = {(one.table, one.reason) for one in done.conflicts}
    assert ("author", "the value of author_email_key is taken") in reasons
    assert ("post", "its row of author is not there") in reasons
    assert {"id": "3"} in [one.key for one in done.conflicts if one.table == "author"]
    assert done.restored == {}
    assert pair.rows("SELECT id FROM author ORDER BY id") == [(1,), (2,), (9,)]


def test_rows_that_changed_are_left_alone_until_they_are_asked_for(pair: Pair) -> None:
    pair.run("UPDATE post SET title = 'oops' WHERE id <= 5")
    assert pair.back("post").restored == {}

    with pytest.raises(UsageError, match="which"):
        pair.back("post", changed=True)
    done = pair.back("post", changed=True, where="id <= 3")

    assert done.changed == 3
    assert pair.rows("SELECT count(*) FROM post WHERE title = 'oops'") == [(2,)]


def test_columns_that_came_since_get_their_default_and_those_that_went_are_reported(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id = 4")
    pair.run("ALTER TABLE post ADD COLUMN mood text NOT NULL DEFAULT 'calm'; ALTER TABLE post DROP COLUMN updated_at")
    pair.run("CREATE TABLE badge (id int PRIMARY KEY, post int REFERENCES post ON DELETE CASCADE)")
    pair.run("ALTER TABLE post ADD COLUMN badge int UNIQUE REFERENCES badge")

    done = pair.back("post")

    assert (done.added, done.dropped) == (("mood", "badge"), ("updated_at",))
    assert pair.rows("SELECT title, mood FROM post WHERE id = 4") == [("title 4", "calm")]


def test_columns_that_went_from_what_the_cascade_took_are_reported_with_their_table(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id = 4")
    pair.run("ALTER TABLE comment DROP COLUMN words")

    assert pair.back("post").dropped == ("comment.words",)


@pytest.mark.parametrize("where", ["id = ", "nowhere = 3", "id = 'four'"])
def test_a_condition_that_is_none_is_blamed_by_its_words(pair: Pair, where: str) -> None:
    with pytest.raises(UsageError, match="--where") as refused:
        pair.back("post", where=where)

    assert where in refused.value.message.replace("\\", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ADD COLUMN mood text; UPDATE post SET mood = 'calm'; ALTER TABLE post ALTER mood SET NOT NULL", "mood"),
        ("ADD CONSTRAINT short CHECK (id NOT IN (4, 14))", "short"),
        ("ALTER title TYPE int USING id", "integer"),
    ],
)
def test_rows_that_the_table_of_today_does_not_take_are_refused_and_nothing_comes_back(
    pair: Pair, change: str, reason: str
) -> None:
    pair.run("ALTER TABLE post DROP COLUMN length; DELETE FROM post WHERE id IN (4, 14)")
    pair.run(f"ALTER TABLE post {change}")

    with pytest.raises(RowsDoNotFit, match=reason) as refused:
        pair.back("post")

    assert "--where" in refused.value.hint
    assert pair.rows("SELECT count(*) FROM post WHERE id IN (4, 14)") == [(0,)]


def test_what_stands_behind_a_condition_is_not_run(pair: Pair) -> None:
    with pytest.raises(UsageError, match="--where"):
        require_condition(pair.live, Table("public", "post"), "true); DELETE FROM event; --")

    assert pair.rows("SELECT count(*) FROM event") == [(60,)]


def test_percent_signs_are_read_as_they_are_written(pair: Pair) -> None:
    for side in (pair.live, pair.past):
        side.execute(b'ALTER TABLE post ADD COLUMN "off%" int NOT NULL DEFAULT 5')
    pair.run("DELETE FROM post WHERE id <= 4; UPDATE post SET title = 'oops'")

    done = pair.back("post", changed=True, where="id % 2 = 0")

    assert (done.deleted, done.changed) == (2, 13)
    assert pair.rows('SELECT id, "off%" FROM post WHERE id <= 4 ORDER BY id') == [(2, 5), (4, 5)]


@pytest.mark.parametrize("index", ["(lower(email))", "(email) WHERE boss IS NULL OR id > 1"])
def test_a_value_that_only_an_expression_or_some_rows_have_once_is_a_conflict_too(pair: Pair, index: str) -> None:
    pair.run("DELETE FROM reply; DELETE FROM post WHERE author IN (2, 3); DELETE FROM author WHERE id IN (2, 3)")
    pair.run(f"ALTER TABLE author DROP CONSTRAINT author_email_key; CREATE UNIQUE INDEX once ON author {index}")
    pair.run("INSERT INTO author VALUES (9, 'c@x')")

    done = pair.back("post", script=True)

    told = {(one.table, one.key["id"]): one.reason for one in done.conflicts if one.table == "author"}
    assert told == {("author", "3"): "a value of it that may be there once is taken"}
    assert {one.reason for one in done.conflicts if one.table == "post"} == {"its row of author is not there"}
    assert (done.restored["author"], done.restored["post"]) == (1, 10)
    assert pair.rows("SELECT id FROM author ORDER BY id") == [(1,), (2,), (9,)]
    assert not any("'c@x'" in statement for statement in done.script)


def test_rows_that_point_to_one_of_their_own_table_which_is_kept_out_are_refused_with_both_reasons(pair: Pair) -> None:
    pair.run("DELETE FROM reply; DELETE FROM post; DELETE FROM author")
    pair.run("ALTER TABLE author DROP CONSTRAINT author_email_key; CREATE UNIQUE INDEX once ON author (lower(email))")
    pair.run("INSERT INTO author VALUES (9, 'a@x')")

    with pytest.raises(Refused, match="author would point to a missing row of author") as refused:
        pair.back("author")

    assert "--where leaves these rows out" in refused.value.hint
    assert pair.rows("SELECT id FROM author") == [(9,)]


def test_a_reference_of_which_only_a_part_was_emptied_points_again(pair: Pair) -> None:
    for side in (pair.live, pair.past):
        side.execute(b"""CREATE TABLE room (house int, id int, PRIMARY KEY (house, id));
            CREATE TABLE guest (id int PRIMARY KEY, house int NOT NULL, room int,
                FOREIGN KEY (house, room) REFERENCES room ON DELETE SET NULL (room));
            INSERT INTO room VALUES (1, 1), (1, 2); INSERT INTO guest VALUES (1, 1, 1), (2, 1, 1), (3, 1, 2)""")
    pair.run("DELETE FROM room WHERE id = 1; UPDATE guest SET room = 2 WHERE id = 2")

    done = pair.back("room", dry_run=True, script=True)
    for statement in done.script:
        pair.run(statement)

    assert done.restored == {"room": 1, "guest.house,room": 1}
    assert pair.rows("SELECT * FROM guest ORDER BY id") == [(1, 1, 1), (2, 1, 2), (3, 1, 2)]
    pair.run("DELETE FROM room WHERE id = 1")
    assert pair.back("room").restored == done.restored
    assert pair.rows("SELECT * FROM guest ORDER BY id") == [(1, 1, 1), (2, 1, 2), (3, 1, 2)]


def test_a_dry_run_says_the_same_and_changes_nothing(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id <= 10")
    said = pair.back("post", dry_run=True)
    assert pair.rows("SELECT count(*) FROM post") == [(20,)]
    assert pair.back("post") == said


def test_the_statements_do_what_the_command_would(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id <= 10; INSERT INTO author VALUES (7, 'x''y', NULL)")
    script = pair.back("post", dry_run=True, script=True).script
    for statement in script:
        pair.run(statement)
    assert pair.rows("SELECT count(*) FROM reply") == [(90,)]
    assert pair.rows("SELECT * FROM event ORDER BY id") == pair.rows("SELECT * FROM event ORDER BY id", past=True)


def test_the_statements_set_rows_back_too(pair: Pair) -> None:
    pair.run("UPDATE post SET title = 'oops' WHERE id <= 5; DELETE FROM post WHERE id = 6")

    script = pair.back("post", dry_run=True, script=True, changed=True, where="id BETWEEN 2 AND 6").script
    for statement in script:
        pair.run(statement)

    assert pair.rows("SELECT id, title FROM post WHERE id <= 6 ORDER BY id") == [(1, "oops")] + [
        (n, f"title {n}") for n in range(2, 7)
    ]


def test_triggers_neither_change_nor_double_what_comes_back(pair: Pair) -> None:
    pair.run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.version := 99; RETURN NEW; END'")
    pair.run("CREATE TRIGGER t BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM post WHERE id = 7")
    pair.back("post")
    assert pair.rows("SELECT version FROM post WHERE id = 7") == [(7,)]


def test_a_table_without_a_key_or_without_a_past_is_refused(pair: Pair) -> None:
    pair.run("CREATE TABLE young (n int PRIMARY KEY)")
    with pytest.raises(NoPrimaryKey):
        pair.back("nokey")
    with pytest.raises(NotFound, match="at that time there was no table young"):
        pair.back("young")


def test_sessions_of_a_user_who_comes_back_stay_ended(pg_db: ScratchDatabase) -> None:
    cluster, password = pg_db.template.cluster, "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$" + "A" * 43
    with connect(pg_db.url("superuser")) as live:
        live.execute("INSERT INTO users (email, email_bidx, password_hash) VALUES ('sealed', sha256('a'), %s)", [password])
        live.execute("INSERT INTO sessions (user_id, token, expires_at) SELECT id, repeat('a', 64), now() + '1 day' FROM users")
    cluster.create_database("past_of_sessions", template=pg_db.name)
    try:
        with connect(pg_db.url("superuser")) as live, connect(cluster.superuser_url("past_of_sessions")) as past:
            live.execute("DELETE FROM users")
            done = put_back(live, past, Table("public", "users"))
            assert (done.restored, done.left_out) == ({"users": 1}, ("sessions", "user_tokens"))
    finally:
        cluster.drop_database("past_of_sessions")
