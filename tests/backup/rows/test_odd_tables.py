"""Tables that are not as most are: deferrable keys, keys of another type now, heirs, rings, and rows that nothing tells apart."""

import pytest

from pgkeel.backup.rows import NoPrimaryKey
from pgkeel.core.errors import LockNotObtained, Refused
from pgkeel.postgres import connect
from tests.backup.rows.conftest import Pair

pytestmark = pytest.mark.majors


def both(pair: Pair, statements: str) -> None:
    for side in (pair.live, pair.past):
        side.execute(statements.encode())


@pytest.mark.parametrize(
    "key", ["id int PRIMARY KEY DEFERRABLE, n int", "id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED"]
)
def test_rows_come_back_to_a_table_whose_constraint_is_deferrable(pair: Pair, key: str) -> None:
    both(pair, f"CREATE TABLE place ({key}); INSERT INTO place SELECT n, n FROM generate_series(1, 5) AS n")
    pair.run("DELETE FROM place WHERE id <= 3; INSERT INTO place VALUES (2, 7)")

    script = pair.back("place", dry_run=True, script=True).script
    done = pair.back("place")

    assert (done.restored, done.conflicts) == ({"place": 2}, ())
    assert pair.rows("SELECT id FROM place ORDER BY id") == [(n,) for n in range(1, 6)]
    pair.run("DELETE FROM place WHERE id IN (1, 3)")
    for statement in script:
        pair.run(statement)
    assert pair.rows("SELECT count(*) FROM place") == [(5,)]


def test_a_value_that_a_deferrable_constraint_of_today_has_once_does_not_come_back_twice(pair: Pair) -> None:
    both(pair, "CREATE TABLE place (id int PRIMARY KEY, n int); INSERT INTO place VALUES (1, 7), (2, 7)")
    pair.run("DELETE FROM place; ALTER TABLE place ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")

    with pytest.raises(Refused, match="place_n_key would be there twice"):
        pair.back("place")

    assert pair.rows("SELECT count(*) FROM place") == [(0,)]


def test_an_exclusion_that_nothing_proves_past_the_triggers_is_refused(pair: Pair) -> None:
    both(pair, "CREATE TABLE stay (id int PRIMARY KEY, at int4range, EXCLUDE USING gist (at WITH &&) DEFERRABLE)")
    both(pair, "INSERT INTO stay VALUES (1, '[1,3)')")
    pair.run("DELETE FROM stay")

    with pytest.raises(Refused, match="stay has the deferrable exclusion constraint stay_at_excl"):
        pair.back("stay")


@pytest.mark.parametrize(("type_", "using", "newer"), [("bigint", "id", "5000000000"), ("text", "id::text", "'abc'")])
def test_rows_come_back_to_a_table_whose_key_has_another_type_now(pair: Pair, type_: str, using: str, newer: str) -> None:
    both(pair, "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 5)")
    both(pair, "CREATE TABLE part (id int PRIMARY KEY, item int); INSERT INTO part SELECT n, n FROM generate_series(1, 5) AS n")
    pair.run(
        f"ALTER TABLE item ALTER id TYPE {type_} USING {using}; ALTER TABLE part ALTER item TYPE {type_} USING item::{type_}"
    )
    pair.run("ALTER TABLE part ADD FOREIGN KEY (item) REFERENCES item ON DELETE CASCADE")
    pair.run(f"DELETE FROM item WHERE id IN ('1', '2'); INSERT INTO item VALUES ({newer})")

    assert pair.back("item").restored == {"item": 2, "part": 2}


def test_a_sequence_that_was_set_back_goes_on_after_what_comes_back(pair: Pair) -> None:
    pair.run("TRUNCATE post RESTART IDENTITY CASCADE")

    pair.back("post", dry_run=True)
    assert pair.rows("INSERT INTO post (author, title) VALUES (1, 'new') RETURNING id") == [(1,)]
    done = pair.back("post", where="id <= 9")

    assert done.restored["post"] == 8
    assert done.warnings == ('the sequence "public"."post_id_seq" stood behind what comes back: it goes on after 9',)
    assert pair.rows("INSERT INTO post (author, title) VALUES (1, 'newer') RETURNING id") == [(10,)]


def test_a_number_that_somebody_chose_leads_no_sequence_astray(pair: Pair) -> None:
    both(
        pair,
        "CREATE TABLE place (id serial PRIMARY KEY, big bigint DEFAULT nextval('place_id_seq'));"
        "INSERT INTO place SELECT FROM generate_series(1, 3); INSERT INTO place VALUES (2147483647, 9223372036854775807)",
    )
    pair.run("TRUNCATE place RESTART IDENTITY")

    done = pair.back("place")
    pair.run("INSERT INTO place DEFAULT VALUES")

    assert done.restored == {"place": 4}
    ((reached,),) = pair.rows("SELECT last_value FROM place_id_seq")
    assert int(str(reached)) < 10


def test_the_statements_set_a_sequence_on_too(pair: Pair) -> None:
    pair.run("TRUNCATE post RESTART IDENTITY CASCADE")

    for statement in pair.back("post", dry_run=True, script=True).script:
        pair.run(statement)

    assert pair.rows("INSERT INTO post (author, title) VALUES (1, 'newer') RETURNING id") == [(31,)]


def test_rows_that_have_no_key_are_left_out_where_they_went_with_others(pair: Pair) -> None:
    both(pair, "CREATE TABLE tag (post int REFERENCES post ON DELETE CASCADE, word text); INSERT INTO tag VALUES (1, 'a')")
    pair.run("DELETE FROM post WHERE id IN (1, 2)")

    done = pair.back("post", where="id = 2")
    assert (done.restored["post"], done.left_out, done.warnings) == (1, (), ())
    done = pair.back("post")

    assert (done.restored["post"], done.left_out) == (1, ("tag",))
    assert done.warnings == ("tag has no primary key, so its rows cannot be told apart: those that pointed to post are left out",)


def test_a_parent_without_a_key_is_missed_only_where_it_is_missing(pair: Pair) -> None:
    both(pair, "CREATE TABLE kind (word text UNIQUE); CREATE TABLE thing (id int PRIMARY KEY, kind text REFERENCES kind (word))")
    both(pair, "INSERT INTO kind VALUES ('a'), ('b'); INSERT INTO thing VALUES (1, 'a'), (2, 'b')")
    pair.run("DELETE FROM thing; DELETE FROM kind WHERE word = 'b'")

    done = pair.back("thing")

    assert (done.restored, done.left_out) == ({"thing": 1}, ())
    assert [(one.key, one.reason) for one in done.conflicts] == [({"id": "2"}, "its row of kind is not there")]


def test_the_statements_put_rows_back_that_point_to_each_other(pair: Pair) -> None:
    both(pair, "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE)")
    both(pair, "INSERT INTO tree VALUES (9, NULL), (8, 9), (1, 8), (10, 9)")
    both(
        pair,
        "CREATE TABLE left_ (id int PRIMARY KEY, other int);CREATE TABLE right_ (id int PRIMARY KEY, other int REFERENCES left_)",
    )
    both(pair, "ALTER TABLE left_ ADD FOREIGN KEY (other) REFERENCES right_ ON DELETE CASCADE")
    both(pair, "INSERT INTO left_ VALUES (1, NULL); INSERT INTO right_ VALUES (1, 1); UPDATE left_ SET other = 1")
    pair.run("DELETE FROM tree; BEGIN; UPDATE left_ SET other = NULL; DELETE FROM right_; DELETE FROM left_; COMMIT")

    for table in ("tree", "left_"):
        for statement in pair.back(table, dry_run=True, script=True).script:
            pair.run(statement)

    assert pair.rows("SELECT * FROM tree ORDER BY id") == pair.rows("SELECT * FROM tree ORDER BY id", past=True)
    assert pair.rows("SELECT l.other AS l, r.other AS r FROM left_ AS l, right_ AS r") == [(1, 1)]


def test_rows_of_a_table_that_inherits_do_not_come_back_as_rows_of_the_one_that_it_inherits_from(pair: Pair) -> None:
    both(pair, "CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE heir (more int, PRIMARY KEY (id)) INHERITS (base)")
    both(pair, "INSERT INTO base VALUES (1); INSERT INTO heir VALUES (1, 5), (2, 7)")
    pair.run("DELETE FROM base; INSERT INTO heir VALUES (1, 6)")

    done = pair.back("base")
    assert (done.restored, done.warnings) == (
        {"base": 1},
        ("rows of heir, which inherit from base, are none of its own: --table heir",),
    )
    assert pair.back("heir").restored == {"heir": 1}

    assert pair.rows("SELECT * FROM heir ORDER BY id") == [(1, 6), (2, 7)]


def test_what_keeps_rows_out_is_said(pair: Pair) -> None:
    pair.run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''closed''; END'; DELETE FROM post WHERE id = 1"
    )
    pair.run(
        "CREATE TRIGGER no BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION no(); ALTER TABLE post ENABLE ALWAYS TRIGGER no"
    )

    with pytest.raises(Refused, match="nothing came back: closed"):
        pair.back("post")


def test_a_key_that_the_server_reckons_is_refused(pair: Pair) -> None:
    both(pair, "CREATE TABLE twice (n int, two int GENERATED ALWAYS AS (n * 2) STORED PRIMARY KEY); INSERT INTO twice VALUES (1)")

    with pytest.raises(NoPrimaryKey, match=r"twice\.two"):
        pair.back("twice")


def test_ended_logins_do_not_come_back_when_they_are_asked_for(pair: Pair) -> None:
    both(pair, "CREATE TABLE sessions (id int PRIMARY KEY); INSERT INTO sessions VALUES (1)")
    pair.run("DELETE FROM sessions")

    with pytest.raises(Refused, match="rows of sessions never come back"):
        pair.back("sessions")


def test_a_comment_behind_a_condition_ends_with_it(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id <= 2")

    assert pair.back("post", where="id = 1 -- the one that matters").restored["post"] == 1


def test_who_holds_a_lock_is_not_waited_for_for_ever(pair: Pair) -> None:
    pair.run("DELETE FROM post WHERE id = 1")
    with connect(pair.url) as other, other.transaction(force_rollback=True):
        other.execute("SELECT FROM author WHERE id = 2 FOR UPDATE")

        with pytest.raises(LockNotObtained, match="nothing came back"):
            pair.back("post")

    assert pair.back("post").restored["post"] == 1


def test_rows_are_set_back_past_a_column_that_no_update_can_write(pair: Pair) -> None:
    both(pair, "CREATE TABLE ticket (code text PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, words text)")
    both(pair, "INSERT INTO ticket (code, words) VALUES ('a', 'first'), ('b', 'second')")
    pair.run("UPDATE ticket SET words = 'oops'")

    assert pair.back("ticket", changed=True, where="code = 'a'").changed == 1

    assert pair.rows("SELECT code, words FROM ticket ORDER BY code") == [("a", "first"), ("b", "oops")]


def test_an_unlogged_table_has_no_past(pair: Pair) -> None:
    both(pair, "CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)")

    with pytest.raises(Refused, match="fleeting is unlogged"):
        pair.back("fleeting")
