"""What a file means, and everything that is refused before anything runs."""

from pathlib import Path

import pytest

from pgkeel.core.clock import FrozenClock
from pgkeel.migrations import Source, new, parse, read
from pgkeel.migrations.create import TEMPLATE
from pgkeel.migrations.errors import BadMigration

NAME = "20240101120000_add_phone.sql"
DESIGN = """-- Up Migration
BEGIN;
ALTER TABLE users ADD COLUMN phone VARCHAR(20);
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users DROP COLUMN phone;
COMMIT;
"""
DOWN = "-- Down Migration\nSELECT 1;\n"


def test_the_design_template_is_one_unit_each_way() -> None:
    file = parse(DESIGN, NAME)

    assert (file.version, file.name) == ("20240101120000", "add_phone")
    assert [statement.text for statement in file.up.units[0].statements] == ["ALTER TABLE users ADD COLUMN phone VARCHAR(20)"]
    assert file.down is not None
    assert len(file.down.units) == 1


def test_line_ends_and_byte_order_mark_do_not_change_the_checksum() -> None:
    variants = [DESIGN, "\ufeff" + DESIGN, DESIGN.replace("\n", "\r\n"), DESIGN.replace("\n", "\r")]

    assert len({parse(text, NAME).checksum for text in variants}) == 1


@pytest.mark.parametrize(
    "hiding",
    [
        "SELECT '\n-- Down Migration\n';",
        "SELECT $$\n-- Down Migration\n$$;",
        "SELECT $x$ $$\n-- Down Migration\n$$ $x$;",
        "/* /* */\n-- Down Migration\n*/ SELECT 1;",
        'SELECT 1 AS "\n-- Down Migration\n";',
        "SELECT E'\\'\n-- Down Migration\n';",
        "SELECT 1; -- Down Migration",
        "  -- Down Migration\nSELECT 1;",
    ],
)
def test_only_a_comment_at_the_start_of_a_line_is_a_marker(hiding: str) -> None:
    file = parse(f"-- Up Migration\n{hiding}\n{DOWN}", NAME)

    assert hiding.strip() in file.up.sql
    assert file.down is not None
    assert file.down.sql == DOWN


def test_statements_are_grouped_into_units() -> None:
    text = f"""-- up migration
CREATE TABLE a (x int); CREATE TABLE b (x int);
CREATE INDEX CONCURRENTLY i ON a (x);
VACUUM a;
START TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1; SELECT 2; END;
SELECT 3;
SET maintenance_work_mem = '1GB';
REINDEX TABLE a;
{DOWN}"""
    units = parse(text, NAME).up.units

    assert [(unit.is_atomic, len(unit.statements)) for unit in units] == [
        (True, 2),
        (False, 1),
        (False, 1),
        (True, 2),
        (True, 1),
        (False, 1),
    ]
    assert units[3].begin == "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    assert [setting.text for setting in units[5].settings] == ["SET maintenance_work_mem = '1GB'"]


def test_without_transactions_every_bare_statement_stands_alone() -> None:
    units = parse(f"-- Up Migration transaction=none\nCALL a(); CALL b(); BEGIN; SELECT 1; COMMIT;\n{DOWN}", NAME).up.units

    assert [unit.is_atomic for unit in units] == [False, False, True]


def test_backfills_options_and_directives_are_kept() -> None:
    file = parse(
        """-- pgkeel: needs backfill 20231231000000
-- pgkeel: irreversible -- the old values are gone
-- Up Migration lock_timeout=50ms retries=3 deadline=1m
-- pgkeel: ignore big-table, other-rule -- it is small
ALTER TABLE users ADD COLUMN n int;
-- Backfill Migration table=users key=id batch=500 pause=20ms
UPDATE users SET n = 0 WHERE id > :lo AND id <= :hi AND x = 'a'::text;
-- Backfill Migration table=public.users code=shop.phones:encrypt
""",
        NAME,
    )

    assert file.irreversible == "the old values are gone"
    assert file.needs == ("20231231000000",)
    assert file.up.options == {"lock_timeout": "50ms", "retries": "3", "deadline": "1m"}
    assert [(d.word, d.arguments, d.reason) for d in file.directives][2] == (
        "ignore",
        ("big-table", "other-rule"),
        "it is small",
    )
    assert [backfill.options["table"] for backfill in file.backfills] == ["users", "public.users"]
    assert file.backfills[0].statement is not None
    assert file.backfills[1].statement is None


def test_a_sentence_about_the_migration_is_a_comment() -> None:
    file = parse(f"-- This migration adds a phone number\n{DESIGN}", NAME)

    assert file.down is not None


REFUSED = [
    ("SELECT 1;", "1:1", "no -- Up Migration"),
    ("-- Down Migration\n-- Up Migration\n", "1:1", "before the Up"),
    ("SELECT 1;\n-- Up Migration\n" + DOWN, "1:1", "before -- Up Migration"),
    ("-- Up Migration\n-- Up Migration\n" + DOWN, "2:1", "second -- Up"),
    ("-- Up Migration\n" + DOWN + DOWN, "4:1", "second -- Down"),
    ("-- Up Migration\nSELECT 1;\n", "3:1", "no -- Down Migration"),
    ("-- Up Migration\n  -- Down Migration\nSELECT 1;\n", "2:3", "not read as a marker"),
    ("-- Dwon Migration\n", "1:1", "is not a section"),
    ("-- Up Migration\n-- Sideways Migration\n" + DOWN, "2:1", "is not a section"),
    ("-- Up Migration adds things\n" + DOWN, "1:1", "is not an option"),
    ("-- Up Migration lock_timeot=1s\n" + DOWN, "1:1", "lock_timeot is not an option"),
    ("-- Up Migration lock_timeout=soon\n" + DOWN, "1:1", "not a duration"),
    ("-- Up Migration retries=0\n" + DOWN, "1:1", "not a whole number"),
    ("-- Up Migration\nSELECT 1;\n -- pgkeel: irreversibel -- x\n", "3:2", "is not a directive"),
    ("-- Up Migration\n-- pgkeel: irreversible\n", "2:1", "incomplete"),
    ("-- Up Migration\n-- pgkeel: ignore x\n" + DOWN, "2:1", "incomplete"),
    ("-- Up Migration\n-- pgkeel: irreversible -- x\n" + DOWN, "2:1", "yet there is a Down"),
    ("-- Up Migration\nBEGIN;\nROLLBACK;\n" + DOWN, "3:1", "ROLLBACK"),
    ("-- Up Migration\nBEGIN; BEGIN; COMMIT;\n" + DOWN, "2:8", "BEGIN inside BEGIN"),
    ("-- Up Migration\n  BEGIN;\nSELECT 1;\n" + DOWN, "2:3", "BEGIN without COMMIT"),
    ("-- Up Migration\nCOMMIT;\n" + DOWN, "2:1", "COMMIT without BEGIN"),
    ("-- Up Migration\nBEGIN; COMMIT AND CHAIN;\n" + DOWN, "2:8", "AND CHAIN"),
    ("-- Up Migration\nBEGIN;\nCREATE INDEX CONCURRENTLY i ON t (x);\nCOMMIT;\n" + DOWN, "3:1", "cannot run inside BEGIN"),
    ("-- Up Migration\nBEGIN;\nVACUUM t;\nCOMMIT;\n" + DOWN, "3:1", "cannot run inside BEGIN"),
    ("-- Up Migration\nCREATE INDEX CONCURRENTLY ON t (x);\n" + DOWN, "2:1", "has no name"),
    ("-- Up Migration\nSELECT 1;\n\\d users\n" + DOWN, "3:1", "command of psql"),
    ("-- Up Migration\nCOPY t FROM STDIN;\n" + DOWN, "2:1", "COPY"),
    ("-- Up Migration\nDISCARD ALL;\n" + DOWN, "2:1", "DISCARD"),
    ("-- Up Migration\nSELECT 'ä\n" + DOWN, "2:8", "never closed"),
    ("-- Up Migration\nSELECT (1;\n" + DOWN, "2:8", "never closed"),
    ("-- Up Migration\nSELECT 1);\n" + DOWN, "2:9", "never opened"),
    ("-- Up Migration\nSELECT 1;\n-- Backfill Migration\nUPDATE t SET x = 1;\n" + DOWN, "3:1", "names its table"),
    ("-- Up Migration\n-- Backfill Migration table=t\nUPDATE t SET x = 1 WHERE id > :lo;\n" + DOWN, "3:1", "does not use :hi"),
    ("-- Up Migration\n\0" + DOWN, "2:1", "NUL"),
]


@pytest.mark.parametrize(("text", "place", "message"), REFUSED)
def test_what_cannot_be_run_is_refused_with_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(BadMigration) as caught:
        parse(text, NAME)

    assert caught.value.message.startswith(f"{NAME}:{place}: ")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("add.sql", "add.sql: not the name of a migration"),
        ("2024_add.sql", "not the name of a migration"),
        ("20241301000000_add.sql", "20241301000000 is not a date and time"),
        ("20240230000000_x.sql", "20240230000000 is not a date and time"),
        ("20240101120000_Add.sql", "not the name of a migration"),
        ("20240101120000_.sql", "not the name of a migration"),
    ],
)
def test_a_name_without_a_date_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadMigration) as caught:
        parse(DESIGN, name)

    assert message in caught.value.message
    assert caught.value.hint


def test_a_folder_that_cannot_be_read_is_refused(app: Source, tmp_path: Path) -> None:
    closed = tmp_path / "a_file"
    closed.write_text("no folder")

    with pytest.raises(BadMigration, match=r"the folder .*a_file cannot be read: Not a directory") as caught:
        read(Source("app", closed))
    assert "[migrations] directory" in caught.value.hint


def test_a_file_that_cannot_be_read_is_refused(app: Source) -> None:
    (app.folder / NAME).symlink_to(app.folder / "gone")

    with pytest.raises(BadMigration, match="cannot be read: No such file"):
        read(app)


def test_two_files_of_one_version_are_refused(app: Source) -> None:
    for name in ("20240101120000_a.sql", "20240101120000_b.sql"):
        (app.folder / name).write_text(DESIGN)

    with pytest.raises(BadMigration, match=r"20240101120000_b\.sql: the version 20240101120000 stands twice in app"):
        read(app)


def test_a_file_that_is_not_text_is_refused(app: Source) -> None:
    (app.folder / NAME).write_bytes(b"-- Up Migration\n\xff")

    with pytest.raises(BadMigration, match="byte 16 is not UTF-8"):
        read(app)


def test_a_new_file_is_the_design_template_and_later_than_every_other(app: Source) -> None:
    from datetime import UTC, datetime

    now = FrozenClock(datetime(2024, 1, 1, 12, tzinfo=UTC)).now()
    first = new(app, "Add phone!", now=now)
    second = new(app, "again", now=now)

    assert first.endswith("20240101120000_add_phone.sql")
    assert second.endswith("20240101120001_again.sql")
    assert [file.text for file in read(app)] == [TEMPLATE, TEMPLATE]
