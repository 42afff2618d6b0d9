"""Seals taken while others write: what is sealed never changes afterwards, so nobody is alarmed for nothing."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from pgkeel.core.errors import Refused, Unreachable
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import FileSink, OlderLog, Problem, anchor, install, plan, seal, search, verify
from pgkeel.security.roles import ensure_rights, ensure_roles
from tests.conftest import MakeCluster
from tests.security.test_audit import PEOPLE, TABLE, bare, db, sink

__all__ = ["bare", "db", "sink"]

SEALS, WRITERS = 200, 4


def write(url: Url, number: int, end: threading.Event, errors: list[str]) -> None:
    """Insert, update and delete rows of its own in transactions of different lengths, a third of which roll back."""
    dice = random.Random(number)
    with connect(url) as connection:
        row = number
        while not end.is_set():
            row += WRITERS
            try:
                with connection.transaction(force_rollback=dice.random() < 0.3):
                    connection.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [row])
                    connection.execute("UPDATE people SET name = 'y' WHERE id = %s", [row])
                    connection.execute("SELECT pg_sleep(%s)", [dice.choice([0, 0, 0.002])])
                    connection.execute("DELETE FROM people WHERE id = %s AND %s", [row, dice.random() < 0.5])
            except Exception as err:  # noqa: BLE001 - any error is one too many
                errors.append(repr(err))
                return


@contextmanager
def writers(work: Callable[..., None], url: Url) -> Iterator[list[str]]:
    end, errors = threading.Event(), list[str]()
    threads = [threading.Thread(target=work, args=(url, number, end, errors)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_two_hundred_seals_under_four_writers_raise_no_alarm(
    db: Connection, empty_db: Url, sink: FileSink, tmp_path: Path
) -> None:
    alarms = list[Problem]()
    with writers(write, empty_db) as errors:
        for number in range(1, SEALS * 3):
            seal(db)
            if number % 40 == 0:
                anchor(db, [sink])
                alarms += verify(db, [sink]).problems
            if int(db.execute("SELECT count(*) AS seals FROM audit.seal").fetchone()["seals"]) >= SEALS:  # type: ignore[index]
                break
    seal_all(db)
    anchor(db, [sink])
    verdict = verify(db, [sink])

    assert (errors, alarms, verdict.problems) == ([], [], ())
    assert verdict.seals >= SEALS
    assert verdict.unsealed == 0


def until_it_dies(work: Callable[[Connection], object], url: Url) -> None:
    with contextlib.suppress(psycopg.OperationalError, Unreachable), connect(url) as connection:
        while True:
            work(connection)


def count(connection: Connection) -> None:
    connection.execute("UPDATE people SET name = (name::int + 1)::text WHERE id = %s", [random.randint(1, 100)])


@pytest.mark.long
def test_a_server_that_is_killed_while_seals_take_updates_in_loses_and_doubles_none(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    cluster.create_database("watched")
    url = cluster.superuser_url("watched")
    with connect(url) as db:
        ensure_roles(db)
        db.execute(TABLE)
        ensure_rights(db)
        install(db, plan(db, [PEOPLE]))
        db.execute("INSERT INTO people (id, name) SELECT n, '0' FROM generate_series(1, 100) n")
    found = None
    for _ in range(10):
        threads = [threading.Thread(target=until_it_dies, args=(work, url)) for work in (seal, count, count, count)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.1, 0.5))
        cluster.kill()
        for thread in threads:
            thread.join()
        cluster.start()
        with connect(url) as db:
            seal_all(db)
            found = db.execute(NOTED).fetchone()
            assert found is not None
            assert found["rows"] == found["numbers"] == found["written"]
            assert verify(db).problems == ()
    assert found is not None
    assert found["written"] > 0  # a busy machine may kill a server before anybody has written


NOTED = """
SELECT count(*) AS rows, count(DISTINCT seq) AS numbers, (SELECT sum(name::int) FROM people) AS written
FROM audit.log WHERE operation = 'update'
"""
OLDER = ("log", "fresh", "noted")  # how the logs of older versions are called in `older`
WATCH = """
INSERT INTO audit.watched (table_name, masked, known, shape)
VALUES ('public.people', '{email,password_hash}', audit.columns_of('people'), audit.shape_of('people'));
INSERT INTO audit.epoch (epoch, first_xid, after_seal, reason)
VALUES (1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0, 'installed');
DO $body$
BEGIN
    IF to_regclass('audit.form') IS NOT NULL THEN
        INSERT INTO audit.form (table_name, longs, ints, times, bools, uuids)
        VALUES ('public.people', '{}', '{id}', '{updated_at}', '{}', '{}');
    END IF;
END
$body$;
CREATE TRIGGER pgkeel_audit_insert AFTER INSERT ON people REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION audit.public__people_insert();
CREATE TRIGGER pgkeel_audit_update AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION audit.public__people_update();
CREATE TRIGGER pgkeel_audit_delete AFTER DELETE ON people REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION audit.public__people_delete();
CREATE TRIGGER pgkeel_audit_truncate AFTER TRUNCATE ON people FOR EACH STATEMENT EXECUTE FUNCTION audit.note_truncate();
"""


def install_older(db: Connection, version: str) -> None:
    """Make the log as an older version did, with a hundred people in it."""
    db.execute("SET ROLE pgkeel_audit")
    db.execute((Path(__file__).parent / "older" / f"{version}.sql").read_text())
    db.execute("RESET ROLE; RESET check_function_bodies")
    db.execute(WATCH)
    db.execute("INSERT INTO people (id, name) SELECT n, '0' FROM generate_series(1, 100) n")


def seal_all(db: Connection) -> None:
    while verify(db).unsealed:
        seal(db)


def indexes(db: Connection) -> list[str]:
    query = "SELECT indexname AS name FROM pg_indexes WHERE tablename IN ('log', 'record') AND schemaname = 'audit' ORDER BY 1"
    return [row["name"] for row in db.execute(query)]


def until_told(url: Url, number: int, end: threading.Event, errors: list[str]) -> None:
    """Count, and let a row come and go."""
    with connect(url) as connection:
        while not end.is_set():
            try:
                count(connection)
                connection.execute("INSERT INTO people (id, name) VALUES (%s, '0')", [1000 + number])
                connection.execute("DELETE FROM people WHERE id = %s", [1000 + number])
            except psycopg.Error as err:
                errors.append(repr(err))
                return


@pytest.mark.parametrize("version", OLDER)
def test_an_older_log_is_brought_up_to_date_under_four_writers_and_loses_and_doubles_nothing(
    bare: Connection, empty_db: Url, sink: FileSink, version: str
) -> None:
    install_older(bare, version)
    while not bare.execute("SELECT audit.seal_now() AS rows").fetchone()["rows"]:  # type: ignore[index]
        time.sleep(0.01)
    anchor(bare, [sink])
    for read in (search, verify):
        with pytest.raises(OlderLog) as older:
            read(bare)
        assert "security audit apply" in older.value.hint
    steps = plan(bare, [PEOPLE]).steps

    with writers(until_told, empty_db) as errors, connect(empty_db) as other:
        with other.transaction():
            count(other)
            with pytest.raises(Refused, match="not free"):
                install(bare, plan(bare, [PEOPLE]), wait=timedelta(milliseconds=100))
        install(bare, plan(bare, [PEOPLE]))
        while not seal(other):
            time.sleep(0.01)
    seal_all(bare)

    found = bare.execute(NOTED).fetchone()
    came, went = (len(search(bare, table="public.people", operation=one, limit=100_000)) for one in ("insert", "delete"))
    assert steps[0] == "make the audit log as this version has it"
    assert found is not None
    assert found["rows"] == found["numbers"] == found["written"] > 0
    assert came == went + 100 > 100
    assert (errors, verify(bare, [sink]).problems, plan(bare, [PEOPLE]).steps) == ([], (), ())
    assert verify(bare, [sink]).anchors == 1
    assert indexes(bare) == ["idx_record_find"]
    left = bare.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname ~ '^(entries|fresh|noted|log_seq)'"
    )
    assert left.fetchall() == []


def test_what_was_begun_of_an_upgrade_is_finished_by_the_next_one(bare: Connection, empty_db: Url) -> None:
    install_older(bare, "log")
    with connect(empty_db) as other, other.transaction():
        other.execute("LOCK TABLE people IN ROW EXCLUSIVE MODE")
        with pytest.raises(Refused, match="the tables to watch were not free"):
            install(bare, plan(bare, [PEOPLE]), wait=timedelta(milliseconds=100))
    halfway = indexes(bare), plan(bare, [PEOPLE]).is_old

    install(bare, plan(bare, [PEOPLE]))

    assert halfway == (["idx_record_find"], True)
    assert plan(bare, [PEOPLE]).steps == ()
