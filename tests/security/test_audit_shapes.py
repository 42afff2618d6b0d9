"""The audit log while tables change: no write fails for it, nothing that is masked appears, and nobody makes it deaf unseen."""

from pathlib import Path

import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.postgres import Connection
from pgkeel.security.audit import FileSink, Watched, anchor, install, plan, seal, search, verify
from tests.security.test_audit import PEOPLE, bare, db, kinds, sink

__all__ = ["bare", "db", "sink"]


def watch(db: Connection, *tables: Watched) -> None:
    install(db, plan(db, tables))


def write(db: Connection, table: str = "people") -> None:
    """Insert, update and delete a row."""
    db.execute(f"INSERT INTO {table} (id) VALUES (1); UPDATE {table} SET id = 2; DELETE FROM {table}")


@pytest.mark.majors
@pytest.mark.parametrize(
    "there_and_back",
    [
        ("ALTER TABLE people ADD COLUMN phone text", "ALTER TABLE people DROP COLUMN phone"),
        ("ALTER TABLE people RENAME name TO nickname", "ALTER TABLE people RENAME nickname TO name"),
        ("CREATE TYPE mood AS ENUM ('sad'); ALTER TABLE people ADD COLUMN mood mood", "DROP TYPE mood CASCADE"),
    ],
)
def test_a_migration_that_is_taken_back_breaks_no_write(db: Connection, there_and_back: tuple[str, str]) -> None:
    for step in there_and_back:
        db.execute(step)
    write(db)

    assert [one.operation for one in search(db, table="public.people") if one.row_id] == ["delete", "update", "insert"]
    watch(db, PEOPLE)
    assert kinds(db) == []


@pytest.mark.majors
def test_a_table_whose_columns_change_with_the_one_it_inherits_from_is_written_to(bare: Connection) -> None:
    bare.execute("CREATE TABLE one (id integer, note text); CREATE TABLE heir (extra text) INHERITS (one)")
    watch(bare, Watched("public", "heir"), Watched("public", "one"))
    bare.execute("ALTER TABLE one DROP COLUMN note")

    write(bare, "heir")

    assert len([one for one in search(bare, table="public.heir") if one.row_id]) == 3


@pytest.mark.majors
def test_a_masked_column_that_gets_a_known_name_stays_masked(db: Connection) -> None:
    db.execute("ALTER TABLE people DROP COLUMN name")
    db.execute("ALTER TABLE people RENAME email TO name")

    db.execute("INSERT INTO people (id, name) VALUES (1, 'a@example.com')")

    assert search(db, operation="insert")[0].after["name"] == "changed"  # type: ignore[index]
    assert kinds(db) == ["shape"]


@pytest.mark.majors
def test_no_masked_column_is_part_of_a_rows_id(bare: Connection) -> None:
    bare.execute("CREATE TABLE keyless (a integer, secret text); CREATE TABLE keyed (secret text PRIMARY KEY, a integer)")
    bare.execute("CREATE TABLE pairs (secret text, a integer, PRIMARY KEY (secret, a))")
    names = ("keyed", "keyless", "pairs")
    watch(bare, *(Watched("public", name, ("secret",)) for name in names))

    for name in names:
        bare.execute(f"INSERT INTO {name} (a, secret) VALUES (1, 'hidden'); UPDATE {name} SET a = 2; DELETE FROM {name}")

    found = [one for one in search(bare) if one.operation in ("insert", "update", "delete")]
    assert len(found) == 9
    assert "hidden" not in repr(found)
    assert {one.table_name: one.row_id for one in found} == {
        "public.keyed": None, "public.keyless": "1", "public.pairs": "1",
    }  # fmt: skip


@pytest.mark.majors
def test_a_row_has_one_id_in_whatever_time_zone_it_is_written(bare: Connection) -> None:
    bare.execute("CREATE TABLE visits (id integer, at timestamptz, on_day date, PRIMARY KEY (id, at, on_day))")
    watch(bare, Watched("public", "visits"))

    bare.execute("SET timezone = 'Europe/Berlin'; INSERT INTO visits VALUES (1, '2026-01-01 12:00+00', '2026-01-02')")
    bare.execute("SET timezone = 'UTC'; SET datestyle = 'german'; DELETE FROM visits; RESET datestyle")

    found = search(bare, row="1,2026-01-01 12:00:00+00,2026-01-02")
    assert [one.operation for one in found] == ["delete", "insert"]


@pytest.mark.majors
def test_a_table_with_long_names_is_noted(bare: Connection) -> None:
    schema, table = "a_schemä_of_a_rather_long_name_for_a_test", "a_täble_of_a_rather_long_name_for_a_test"
    bare.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table} (id integer PRIMARY KEY)")
    watch(bare, Watched(schema, table))

    write(bare, f"{schema}.{table}")

    found = [one.operation for one in search(bare, table=f"{schema}.{table}") if one.operation != "ddl"]
    assert found == ["delete", "update", "insert"]


@pytest.mark.majors
def test_what_jsonb_cannot_hold_is_written_and_noted_as_text(bare: Connection) -> None:
    bare.execute(
        "CREATE DOMAIN paper AS json; CREATE TABLE papers (id integer PRIMARY KEY, plain json, paper paper, term interval)"
    )
    watch(bare, Watched("public", "papers"))

    bare.execute("""INSERT INTO papers VALUES (1, '"\\u0000"', '1e999999', '1 month')""")
    bare.execute("UPDATE papers SET plain = '[1]', term = '30 days'")

    changed, made = search(bare, table="public.papers")[:2]
    assert made.after == {"id": 1, "plain": '"\\u0000"', "paper": "1e999999", "term": "1 mon"}
    assert changed.after == {"plain": [1], "term": "30 days"}


@pytest.mark.parametrize(
    "made",
    ["VIEW public.odd AS SELECT 1", "MATERIALIZED VIEW public.odd AS SELECT 1", "SEQUENCE public.odd", "TABLE audit.odd ()"],
)
def test_what_cannot_be_watched_is_refused(db: Connection, made: str) -> None:
    db.execute(f"CREATE {made}")

    with pytest.raises(ConfigError, match=r"odd, which is no table that can be watched"):
        plan(db, [Watched("audit" if "audit" in made else "public", "odd")])


@pytest.mark.majors
@pytest.mark.parametrize(
    "deafened",
    [
        "ALTER EVENT TRIGGER pgkeel_audit_ddl ENABLE REPLICA",
        """DROP EVENT TRIGGER pgkeel_audit_ddl; CREATE EVENT TRIGGER pgkeel_audit_ddl ON ddl_command_end
           WHEN TAG IN ('COMMENT') EXECUTE FUNCTION audit.note_ddl(); ALTER EVENT TRIGGER pgkeel_audit_ddl ENABLE ALWAYS""",
        """DROP EVENT TRIGGER pgkeel_audit_drop; CREATE EVENT TRIGGER pgkeel_audit_drop ON sql_drop
           EXECUTE FUNCTION audit.note_ddl(); ALTER EVENT TRIGGER pgkeel_audit_drop ENABLE ALWAYS""",
        """CREATE OR REPLACE TRIGGER pgkeel_audit_truncate AFTER UPDATE ON people EXECUTE FUNCTION audit.note_truncate();
           ALTER TABLE people ENABLE ALWAYS TRIGGER pgkeel_audit_truncate""",
    ],
)
def test_a_trigger_that_is_called_by_less_is_a_problem_until_applied_again(db: Connection, deafened: str) -> None:
    db.execute(deafened)
    assert kinds(db) == ["trigger"]

    watch(db, PEOPLE)

    assert kinds(db) == []


def test_ddl_is_noted_whatever_the_session_calls_itself(db: Connection) -> None:
    db.execute("SET session_replication_role = replica; CREATE TABLE quiet (); DROP TABLE quiet; RESET session_replication_role")

    assert len(search(db, table="public.quiet")) == 2


def test_a_month_that_is_not_over_has_not_left_the_log(db: Connection) -> None:
    write(db)
    seal(db)
    (month,) = {row["month"] for row in db.execute("SELECT to_char(month, 'YYYY_MM') AS month FROM audit.seal").fetchall()}

    db.execute(f"ALTER TABLE audit.record DETACH PARTITION audit.log_{month}; UPDATE audit.seal SET retired_at = now()")

    assert "removed" in kinds(db)


@pytest.mark.parametrize(("cut", "known"), [(20, 1), (1, 2)])
def test_an_anchor_after_half_of_one_that_a_full_disk_left_is_read(db: Connection, sink: FileSink, cut: int, known: int) -> None:
    write(db)
    seal(db)
    anchor(db, [sink])
    Path(sink.name).write_bytes(Path(sink.name).read_bytes()[:-cut])
    write(db)
    seal(db)

    anchor(db, [sink])

    verdict = verify(db, [sink])
    assert (verdict.anchors, verdict.problems) == (known, ())


def test_anchors_that_cannot_be_read_or_written_are_said_with_their_file(db: Connection, sink: FileSink) -> None:
    write(db)
    seal(db)
    Path(sink.name).mkdir(parents=True)

    for use in (anchor, verify):
        with pytest.raises(ConfigError, match=r"anchors\.jsonl cannot be read or written: Is a directory"):
            use(db, [sink])
