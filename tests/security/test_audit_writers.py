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

from pgkeel.core.errors import Refused
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import FileSink, OlderLog, Problem, anchor, install, plan, seal, search, verify
from pgkeel.security.roles import ensure_rights, ensure_roles
from tests.conftest import MakeCluster
from tests.security.test_audit import PEOPLE, TABLE, db, people, seal_it, sink

__all__ = ["db", "sink"]

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
    seal(db)
    anchor(db, [sink])
    verdict = verify(db, [sink])

    assert (errors, alarms, verdict.problems) == ([], [], ())
    assert verdict.seals >= SEALS
    assert verdict.unsealed == 0


def until_it_dies(work: Callable[[Connection], object], url: Url) -> None:
    with contextlib.suppress(psycopg.OperationalError), connect(url) as connection:
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
            seal(db)
            found = db.execute(NOTED).fetchone()
            assert found is not None
            assert found["rows"] == found["numbers"] == found["written"] > 0
            assert verify(db).problems == ()


NOTED = """
SELECT count(*) AS rows, count(DISTINCT seq) AS numbers, (SELECT sum(name::int) FROM people) AS written
FROM audit.entries WHERE operation = 'update'
"""

OLDER = """
SET ROLE pgkeel_audit;
DO $body$
DECLARE
    name text := (SELECT proname FROM pg_proc WHERE proname LIKE 'public%people%update' AND pronamespace = 'audit'::regnamespace);
BEGIN
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION audit.%I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $b$
        BEGIN
            INSERT INTO audit.log (table_name, row_id, operation, before, after)
            VALUES ('public.people', NEW.id::text, 'update', jsonb_build_object('name', OLD.name),
                    jsonb_build_object('name', NEW.name));
            RETURN NULL;
        END $b$ $f$, name);
END $body$;
CREATE SEQUENCE audit.log_seq START 1000;
ALTER TABLE audit.log ALTER COLUMN seq SET DEFAULT nextval('audit.log_seq');
DROP VIEW audit.entries, audit.waiting;
DROP TABLE audit.noted; DROP TYPE audit.note;
DROP INDEX audit.idx_log_find;
CREATE INDEX idx_log_row ON audit.log (table_name, row_id);
CREATE INDEX idx_log_place ON audit.log USING brin (xid, seq, at);
CREATE OR REPLACE FUNCTION audit.seal_now() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
COMMENT ON TABLE audit.log IS NULL;
RESET ROLE
"""

FRESH = """
SET ROLE pgkeel_audit;
DROP VIEW audit.entries, audit.waiting;
DROP FUNCTION audit.form_of;
DROP TABLE audit.form;
CREATE TABLE audit.fresh (
    seq bigint GENERATED BY DEFAULT AS IDENTITY (START 1000), at timestamptz NOT NULL DEFAULT clock_timestamp(), actor text,
    db_role name NOT NULL DEFAULT session_user, table_name text NOT NULL, row_id text, changes jsonb NOT NULL
);
ALTER TABLE audit.log ALTER COLUMN seq SET DEFAULT nextval('audit.fresh_seq_seq');
DROP TABLE audit.noted;
DROP TYPE audit.note CASCADE;
DO $body$
DECLARE
    name text := (SELECT proname FROM pg_proc WHERE proname LIKE 'public%people%update' AND pronamespace = 'audit'::regnamespace);
BEGIN
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION audit.%I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $b$
        BEGIN
            INSERT INTO audit.fresh (actor, table_name, row_id, changes)
            VALUES (current_setting('pgkeel.actor', true), 'public.people', NEW.id::text,
                    jsonb_build_object('name', jsonb_build_array(OLD.name, NEW.name), 'email', 'changed'));
            RETURN NULL;
        END $b$ $f$, name);
END $body$;
CREATE VIEW audit.waiting AS
SELECT fresh.seq, fresh.at, top.xid - ((top.xid - fresh.xmin::text::bigint) & 4294967295) AS xid,
       (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
       nullif(fresh.actor, '') AS actor, fresh.db_role, fresh.table_name, fresh.row_id, 'update'::text AS operation,
       coalesce(image.before, '{}') AS before, image.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top,
     audit.fresh,
     LATERAL (SELECT jsonb_object_agg(key, fresh.changes -> key -> 0)
                         FILTER (WHERE fresh.changes -> key -> 1 IS NOT NULL) AS before,
                     jsonb_object_agg(key, coalesce(fresh.changes -> key -> 1, fresh.changes -> key)) AS after
              FROM (SELECT jsonb_object_keys(fresh.changes) AS key OFFSET 0) AS changed) AS image;
CREATE VIEW audit.entries AS
SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.log
UNION ALL
SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.waiting;
CREATE OR REPLACE FUNCTION audit.take_in(upper_xid bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $body$
    WITH taken AS (
        DELETE FROM audit.fresh AS fresh
        USING (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top
        WHERE top.xid - ((top.xid - fresh.xmin::text::bigint) & 4294967295) < upper_xid
    )
    INSERT INTO audit.log (seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after)
    SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after
    FROM audit.waiting AS waiting WHERE waiting.xid < upper_xid
$body$;
COMMENT ON TABLE audit.log IS NULL;
RESET ROLE
"""


def indexes(db: Connection) -> list[str]:
    found = db.execute("SELECT indexname AS name FROM pg_indexes WHERE tablename = 'log' AND schemaname = 'audit' ORDER BY 1")
    return [row["name"] for row in found]


def test_a_log_of_an_older_version_is_brought_up_to_date_under_four_writers(db: Connection, empty_db: Url) -> None:
    people(db, 1)
    seal_it(db)
    db.execute(OLDER)
    steps = plan(db, [PEOPLE]).steps
    for read in (search, verify):
        with pytest.raises(OlderLog) as older:
            read(db)
        assert "security audit apply" in older.value.hint

    with writers(write, empty_db) as errors:
        install(db, plan(db, [PEOPLE]))
    sealed = seal(db)

    assert steps[0] == "make the audit log as this version has it"
    assert (errors, verify(db).problems, plan(db, [PEOPLE]).steps) == ([], (), ())
    assert sealed > 0
    assert indexes(db) == ["idx_log_find"]
    made = search(db, row="1")[-1].after
    assert made is not None
    assert (made["name"], made["email"]) == ("p1", "changed")
    numbers = db.execute(
        "SELECT count(*) - count(DISTINCT seq) AS doubled, max(seq) > 1000 AS go_on FROM audit.entries"
    ).fetchone()
    assert numbers == {"doubled": 0, "go_on": True}
    assert db.execute("SELECT to_regclass('audit.log_seq') AS old").fetchone() == {"old": None}


def until_told(url: Url, number: int, end: threading.Event, errors: list[str]) -> None:
    with connect(url) as connection:
        while not end.is_set():
            try:
                count(connection)
            except psycopg.Error as err:
                errors.append(repr(err))
                return


def test_what_waits_in_an_older_log_is_neither_lost_nor_doubled_by_an_upgrade_under_four_writers(
    db: Connection, empty_db: Url
) -> None:
    db.execute("INSERT INTO people (id, name) SELECT n, '0' FROM generate_series(1, 100) n")
    db.execute(FRESH)

    with writers(until_told, empty_db) as errors, connect(empty_db) as other:
        while not seal(other):
            time.sleep(0.01)
        with other.transaction():
            other.execute("UPDATE people SET name = (name::int + 1)::text WHERE id = 1")
            db.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                install(db, plan(db, [PEOPLE]))
            db.execute("RESET lock_timeout")
            seal(db)
        install(db, plan(db, [PEOPLE]))
        while not seal(other):
            time.sleep(0.01)
    seal_it(db)

    found = db.execute(NOTED).fetchone()
    assert found is not None
    assert found["rows"] == found["numbers"] == found["written"] > 0
    assert (errors, verify(db).problems, plan(db, [PEOPLE]).steps) == ([], (), ())
    assert db.execute("SELECT to_regclass('audit.fresh') AS old").fetchone() == {"old": None}


def test_what_was_begun_of_an_upgrade_is_finished_by_the_next_one(db: Connection, empty_db: Url) -> None:
    db.execute(OLDER)
    with connect(empty_db) as other, other.transaction():
        other.execute("LOCK TABLE people IN ROW EXCLUSIVE MODE")
        db.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            install(db, plan(db, [PEOPLE]))
    halfway = indexes(db), plan(db, [PEOPLE]).is_old

    install(db, plan(db, [PEOPLE]))

    assert halfway == (["idx_log_find"], True)
    assert plan(db, [PEOPLE]).steps == ()


def test_an_upgrade_waits_for_no_long_transaction(db: Connection, empty_db: Url) -> None:
    db.execute(OLDER)
    with connect(empty_db) as other, other.transaction():
        other.execute("INSERT INTO people (id) VALUES (1)")

        with pytest.raises(Refused, match="not free"):
            install(db, plan(db, [PEOPLE]), wait=timedelta(milliseconds=100))

    assert plan(db, [PEOPLE]).is_old
