"""Recipes on a live table: what they write is clean for our own lint, goes up and down, and stops nobody."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from pgkeel.core.errors import KeelError, NotFound, Refused, UsageError
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source, backfill, down, read, up
from pgkeel.migrations.lint import lint_files
from pgkeel.migrations.recipes import Wish, drafts, plan_recipe, write_drafts
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import snapshot

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCHEMA = """
CREATE TABLE cities (id bigint PRIMARY KEY, name text);
INSERT INTO cities SELECT g, 'city ' || g FROM generate_series(1, 50) AS g;
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, city_id bigint, phone varchar(20), nick text,
    points int NOT NULL DEFAULT 0, CONSTRAINT people_points_check CHECK (points >= 0));
CREATE INDEX people_points_idx ON people (points) WHERE points > 10;
COMMENT ON COLUMN people.phone IS 'the owner''s';
CREATE VIEW callable AS SELECT id, phone, upper(phone::text) AS loud FROM people WHERE phone IS NOT NULL;
INSERT INTO people (city_id, phone, nick, points) SELECT 1 + g % 50,
    CASE WHEN g % 3 > 0 THEN g::text END, 'n' || g, g FROM generate_series(1, 900) AS g;
"""
WRITE = "INSERT INTO people (city_id, {column}, nick) VALUES (1, %s, %s)"
READ = "SELECT count(*) AS n FROM people WHERE id < 100"
CHANGE = "UPDATE people SET points = points + 1 WHERE id = %s"
Recipe = Callable[..., tuple[str, ...]]


@pytest.fixture
def live(connection: Connection) -> Connection:
    connection.execute(SCHEMA.encode())
    return connection


@pytest.fixture
def recipe(live: Connection, app: Source) -> Recipe:
    """Writes a recipe's files and returns their paths."""

    def write(name: str, *arguments: str, **wish: str) -> tuple[str, ...]:
        files = plan_recipe(live, name, arguments, Wish(**wish))
        return write_drafts(drafts(app, files, now=NOW))

    return write


def applied(connection: Connection, app: Source, path: str) -> None:
    """Apply one file more, and run its backfill."""
    up(connection, [app], Options(to=Path(path).name[:14], deadline=timedelta(seconds=60)))
    backfill.run(connection)


@contextmanager
def traffic(url: Url, *statements: str) -> Iterator[list[str]]:
    """Run statements over and over in sessions of their own; yields the errors that programs would have seen."""
    errors: list[str] = []
    stop = threading.Event()
    counts = itertools.count(100_000)

    def work(statement: str) -> None:
        with connect(url) as session:
            while not stop.is_set():
                number = next(counts)
                values = (
                    [str(number), f"n{number}"][: statement.count("%s")]
                    if "INSERT" in statement
                    else [number % 900] * statement.count("%s")
                )
                try:
                    session.execute(statement.encode(), values)
                except psycopg.Error as err:
                    errors.append(f"{statement}: {err}")
                time.sleep(0.002)

    threads = [threading.Thread(target=work, args=(statement,)) for statement in statements]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()


CASES = {
    "not-null": (("people.phone",), {"fill": "''"}, "phone"),
    "rename-column": (("people.phone", "mobile"), {}, "phone"),
    "change-type": (("people.points", "bigint"), {}, "phone"),
    "add-fk": (("people.city_id", "cities.id"), {"on_delete": "set-null", "orphans": "null"}, "phone"),
    "unique": (("people.nick",), {}, "phone"),
}


@pytest.mark.long  # backfills give way to the traffic beside them for minutes
@pytest.mark.timeout(900)
@pytest.mark.majors
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_is_clean_goes_up_down_up_and_no_program_fails_meanwhile(
    name: str, live: Connection, empty_db: Url, app: Source, recipe: Recipe
) -> None:
    arguments, wish, column = CASES[name]
    before = snapshot(live)
    paths = recipe(name, *arguments, **wish)
    last_is_contract = "contract" in paths[-1]

    with traffic(empty_db, WRITE.format(column=column), READ, CHANGE) as errors:
        for path in paths[:-1] if last_is_contract else paths:
            applied(live, app, path)
    if last_is_contract:
        applied(live, app, paths[-1])
    after = snapshot(live)
    down(live, [app], Options(allow_data_loss=True), count=len(paths))
    reverted = snapshot(live)
    for path in paths:
        applied(live, app, path)

    assert errors == []
    assert lint_files([Path(path) for path in paths]).report.findings == ()
    assert after != before
    assert reverted == before
    assert snapshot(live) == after


@pytest.mark.majors
def test_not_null_holds_for_every_row_and_leaves_no_check_behind(live: Connection, app: Source, recipe: Recipe) -> None:
    for path in recipe("not-null", "people.phone", fill="'none'"):
        applied(live, app, path)

    assert live.execute("SELECT count(*) AS n FROM people WHERE phone = 'none'").fetchone() == {"n": 300}
    with pytest.raises(psycopg.errors.NotNullViolation):
        live.execute("INSERT INTO people (phone) VALUES (NULL)")
    assert live.execute("SELECT FROM pg_constraint WHERE conname LIKE '%not_null' AND contype = 'c'").rowcount == 0


@pytest.mark.majors
def test_a_renamed_column_keeps_values_views_and_comment(live: Connection, app: Source, recipe: Recipe) -> None:
    old = live.execute("SELECT id, phone FROM people ORDER BY id").fetchall()
    seen = live.execute("SELECT * FROM callable ORDER BY id").fetchall()
    paths = recipe("rename-column", "people.phone", "mobile")
    for path in paths[:-1]:
        applied(live, app, path)
    live.execute("INSERT INTO people (mobile) VALUES ('by the new name')")
    live.execute("UPDATE people SET phone = 'by the old name' WHERE id = 1")
    both = live.execute("SELECT phone, mobile FROM people WHERE mobile LIKE 'by the%' ORDER BY id").fetchall()
    live.execute("DELETE FROM people WHERE mobile = 'by the new name'; UPDATE people SET mobile = '1' WHERE id = 1")

    applied(live, app, paths[-1])

    assert both == [{"phone": text, "mobile": text} for text in ("by the old name", "by the new name")]
    assert live.execute("SELECT id, mobile AS phone FROM people ORDER BY id").fetchall() == old
    assert live.execute("SELECT * FROM callable ORDER BY id").fetchall() == seen
    comment = live.execute(
        "SELECT col_description('people'::regclass, attnum) AS c FROM pg_attribute WHERE attname = 'mobile'"
    ).fetchone()
    assert comment == {"c": "the owner's"}


@pytest.mark.majors
def test_a_changed_type_keeps_values_default_check_and_index(live: Connection, app: Source, recipe: Recipe) -> None:
    old = live.execute("SELECT id, points FROM people ORDER BY id").fetchall()
    for path in recipe("change-type", "people.points", "bigint"):
        applied(live, app, path)

    assert live.execute("SELECT id, points FROM people ORDER BY id").fetchall() == old
    live.execute("INSERT INTO people (points) VALUES (5000000000)")
    assert live.execute("INSERT INTO people (nick) VALUES ('x') RETURNING points").fetchone() == {"points": 0}
    with pytest.raises(psycopg.errors.CheckViolation):
        live.execute("INSERT INTO people (points) VALUES (-1)")
    assert live.execute("SELECT FROM pg_indexes WHERE indexname = 'people_points_idx'").rowcount == 1


def test_a_value_that_the_new_type_cannot_hold_stops_the_exchange_and_no_writer(
    live: Connection, app: Source, recipe: Recipe
) -> None:
    paths = recipe("change-type", "people.nick", "integer", using="substr(nick, 2)::integer")
    applied(live, app, paths[0])
    live.execute("INSERT INTO people (nick) VALUES ('none')")

    with pytest.raises(KeelError, match="hold a nick that integer cannot"):
        applied(live, app, paths[1])
    live.execute("INSERT INTO people (nick) VALUES ('nor this')")


@pytest.mark.majors
def test_a_foreign_key_clears_orphans_away_when_it_is_told_to(live: Connection, app: Source, recipe: Recipe) -> None:
    live.execute("INSERT INTO people (city_id) VALUES (999)")
    for path in recipe("add-fk", "people.city_id", "cities.id", orphans="delete", on_delete="cascade"):
        applied(live, app, path)

    assert live.execute("SELECT FROM people WHERE city_id = 999").rowcount == 0
    assert live.execute("SELECT FROM pg_indexes WHERE indexname = 'people_city_id_idx'").rowcount == 1


@pytest.mark.parametrize(
    ("arguments", "wish", "error", "message"),
    [
        (("not-null", "poeple.phone"), {}, NotFound, "did you mean people"),
        (("not-null", "people.fone"), {}, NotFound, "did you mean phone"),
        (("not-null", "people.points"), {}, Refused, "NOT NULL already"),
        (("not-null", "people.phone"), {}, UsageError, "no default"),
        (("not-null", "people"), {}, UsageError, "is not TABLE.COLUMN"),
        (("not-null", "people.phone", "x"), {}, UsageError, "takes TABLE.COLUMN"),
        (("not-null", "callable.phone"), {}, Refused, "is not a table"),
        (("rename-column", "people.phone", "nick"), {}, Refused, "a column nick already"),
        (("rename-column", "people.id", "number"), {}, Refused, "identity column"),
        (("rename-column", "cities.id", "number"), {}, Refused, "the primary key cities_pkey"),
        (("change-type", "people.phone", "bigint"), {}, Refused, "the view callable"),
        (("change-type", "people.nick", "biginteger"), {}, NotFound, "no type biginteger"),
        (("change-type", "people.nick", "text"), {}, Refused, "is text already"),
        (("add-fk", "people.phone", "cities.id"), {}, Refused, "people.phone is character varying"),
        (("add-fk", "people.city_id", "people.points"), {}, Refused, "is integer"),
        (("add-fk", "people.city_id,nick", "cities.id"), {}, UsageError, "2 columns cannot refer to 1"),
        (("unique", "people.id"), {}, Refused, "unique already"),
    ],
)
def test_what_a_recipe_cannot_do_is_refused_with_a_hint(
    arguments: tuple[str, ...], wish: dict[str, str], error: type[KeelError], message: str, live: Connection
) -> None:
    with pytest.raises(error) as refused:
        plan_recipe(live, arguments[0], arguments[1:], Wish(**wish))

    assert message in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.hint


def test_a_call_that_was_killed_between_two_files_is_simply_made_again(live: Connection, app: Source, recipe: Recipe) -> None:
    paths = recipe("not-null", "people.phone", fill="''")
    Path(paths[1]).unlink()

    again = recipe("not-null", "people.phone", fill="''")

    assert again == paths
    assert [file.name for file in read(app)] == ["people_phone_not_null_1_fill", "people_phone_not_null_2_prove"]
    with pytest.raises(Refused, match="with another text"):
        recipe("not-null", "people.phone", fill="'x'")


@pytest.mark.majors
def test_a_new_database_goes_up_in_one_run(
    connection: Connection, app: Source, write: Callable[[str, str], Path], cluster: object
) -> None:
    write(
        "20240101000000_people",
        "-- Up Migration\nCREATE TABLE people (id int PRIMARY KEY, phone text);\n-- Down Migration\nDROP TABLE people;\n",
    )
    up(connection, [app])
    files = plan_recipe(connection, "not-null", ["people.phone"], Wish(fill="''"))
    write_drafts(drafts(app, files, now=NOW))
    down(connection, [app])

    assert len(up(connection, [app]).steps) == 3
    assert {state.status for state in backfill.states(connection)} == {"finished"}
