"""What the lint knows besides a single statement: sets, older files, transactions, ignores, the target, other opinions."""

from pathlib import Path

import pytest

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.lint import Linted, Table, Target, ask, lint_files, parser, squawk
from pgkeel.postgres import connect

DOWN = "-- Down Migration\nBEGIN;\nDROP TABLE IF EXISTS things;\nCOMMIT;\n"


def written(folder: Path, name: str, up: str) -> Path:
    path = folder / name
    path.write_text(f"-- Up Migration\n{up}\n{DOWN}")
    return path


def codes(found: Linted) -> list[str]:
    return [finding.rule.code for finding in found.report.findings]


def plain(tmp_path: Path, sql: str) -> Path:
    path = tmp_path / "plain.sql"
    path.write_text(sql)
    return path


def test_the_down_is_not_judged(tmp_path: Path) -> None:
    path = written(tmp_path, "20240101120000_phone.sql", "BEGIN;\nALTER TABLE users ADD COLUMN phone varchar(20);\nCOMMIT;")

    assert codes(lint_files([path])) == []


def test_a_table_made_earlier_in_the_set_is_not_in_use(tmp_path: Path) -> None:
    first = written(tmp_path, "20240101120000_a.sql", "CREATE TABLE things (id bigint PRIMARY KEY, name text);")
    second = written(tmp_path, "20240101120001_b.sql", "CREATE INDEX things_name_idx ON public.things (name);")

    assert codes(lint_files([second, first])) == []
    assert codes(lint_files([second])) == ["MIG001"]
    assert codes(lint_files([first, second], are_one_set=False)) == ["MIG001"]


def test_files_that_are_no_migrations_are_judged_alone(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE TABLE things (id bigint PRIMARY KEY);")
    (tmp_path / "b.sql").write_text("ALTER TABLE things ADD COLUMN a int NOT NULL;")

    assert codes(lint_files([tmp_path / "a.sql", tmp_path / "b.sql"])) == ["MIG009"]


def test_older_migrations_tell_the_type_that_changes(tmp_path: Path) -> None:
    made = "CREATE TABLE things (id bigint PRIMARY KEY, short varchar(50), number int, price numeric(10,2));"
    older = written(tmp_path, "20240101120000_a.sql", made)
    change = "ALTER TABLE things ALTER COLUMN {} TYPE {};"
    widened = written(tmp_path, "20240101120001_b.sql", change.format("price", "numeric(12,2)"))
    narrowed = written(tmp_path, "20240101120002_c.sql", change.format("short", "varchar(10)"))
    converted = written(tmp_path, "20240101120003_d.sql", change.format("number", "text"))

    assert codes(lint_files([widened], older=[older])) == []
    assert codes(lint_files([narrowed], older=[older])) == ["MIG008"]
    assert codes(lint_files([converted], older=[older])) == ["MIG008"]


def test_bare_statements_of_a_migration_share_a_transaction(tmp_path: Path) -> None:
    both = "ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT c;"

    found = lint_files([written(tmp_path, "20240101120000_a.sql", both)])

    assert [(finding.rule.code, str(finding.rule.severity)) for finding in found.report.findings] == [("MIG019", "info")]
    assert codes(lint_files([plain(tmp_path, both)])) == []


def test_concurrently_between_begin_and_commit_is_a_finding(tmp_path: Path) -> None:
    up = "BEGIN;\nCREATE INDEX CONCURRENTLY i ON users (a);\nCOMMIT;"

    assert codes(lint_files([written(tmp_path, "20240101120000_a.sql", up)])) == ["MIG002"]


def test_a_finding_names_file_line_and_statement(tmp_path: Path) -> None:
    path = written(tmp_path, "20240101120000_a.sql", "BEGIN;\n\nALTER TABLE users\n  DROP COLUMN a;\nCOMMIT;")

    (finding,) = lint_files([path]).as_data()["findings"]

    assert (finding["code"], finding["severity"], finding["line"]) == ("MIG030", "error", 4)
    assert finding["file"].endswith("20240101120000_a.sql")
    assert finding["statement"] == "ALTER TABLE users\n  DROP COLUMN a"
    assert finding["message"]
    assert finding["fix"]


def test_an_ignore_with_a_reason_sets_the_finding_apart(tmp_path: Path) -> None:
    sql = "-- pgkeel: ignore MIG030 -- unused since May\nALTER TABLE users DROP COLUMN a;\nALTER TABLE users DROP COLUMN b;"

    found = lint_files([plain(tmp_path, sql)])

    assert [finding.object for finding in found.report.findings] == ["users.b"]
    assert [(entry.finding.object, entry.reason) for entry in found.report.accepted] == [("users.a", "unused since May")]


def test_an_ignore_inside_a_string_ignores_nothing(tmp_path: Path) -> None:
    sql = "SELECT '\n-- pgkeel: ignore MIG030 -- not a comment\n';\nALTER TABLE users DROP COLUMN a;"

    assert codes(lint_files([plain(tmp_path, sql)])) == ["MIG030"]


@pytest.mark.parametrize(
    ("comment", "error"),
    [("-- pgkeel: ignore MIG030", UsageError), ("-- pgkeel: ignore MIG999 -- because", NotFound)],
)
def test_an_ignore_without_a_reason_or_rule_is_refused(comment: str, error: type[UsageError], tmp_path: Path) -> None:
    with pytest.raises(error, match=r"plain\.sql:1:1"):
        lint_files([plain(tmp_path, f"{comment}\nALTER TABLE users DROP COLUMN a;")])


def test_the_configuration_accepts_a_finding(tmp_path: Path) -> None:
    path = plain(tmp_path, "ALTER TABLE users DROP COLUMN a;")

    found = lint_files([path], accepted={"MIG030:users.a": "unused", "BAK004": "a rule of another list"})

    assert codes(found) == []
    assert found.report.accepted[0].reason == "unused"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ALTER TABLE users ADD COLUM a int;\n", r"plain\.sql:1:31: syntax error"),
        ("BEGIN;\nSELECT 1;\n", r"plain\.sql:1:1: BEGIN without COMMIT"),
        ("BEGIN;\nBEGIN;\n", r"plain\.sql:2:1: BEGIN inside BEGIN"),
        ("SELECT 1;\nCOMMIT;\n", r"plain\.sql:2:1: COMMIT without BEGIN"),
        ("SELECT 'open;\n", r"plain\.sql:1:8: the quote"),
        ("\\set x 1\n", r"plain\.sql:1:1: .*command of psql"),
        ("-- Up Migration\nBEGIN;\nROLLBACK;\n-- Down Migration\n", r"plain\.sql:3:1: ROLLBACK"),
        ("-- Up Migration\nSELECT 1;\n", r"plain\.sql:3:1: no -- Down Migration"),
        ("-- Down Migration\n-- Up Migration\n", r"plain\.sql:1:1: -- Down Migration before the Up"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused_with_its_place(sql: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadMigration, match=message):
        lint_files([plain(tmp_path, sql)])


def test_a_finding_about_time_is_dropped_where_the_table_is_small(tmp_path: Path) -> None:
    path = plain(tmp_path, "CREATE INDEX i ON users (a);\nALTER TABLE users DROP COLUMN a;")
    small, large = Table(bytes=8192, rows=10), Table(bytes=50_000_000_000, rows=10**9)

    assert codes(lint_files([path], target=Target({"users": small}))) == ["MIG030"]
    assert codes(lint_files([path], target=Target({"users": large}))) == ["MIG001", "MIG030"]


def test_the_target_tells_sizes_types_and_partition_keys(empty_db: Url, tmp_path: Path) -> None:
    with connect(empty_db, application="test") as connection:
        connection.execute("CREATE TABLE users (id bigint PRIMARY KEY, short varchar(50), price numeric(10,2), at timestamp)")
        connection.execute("CREATE TABLE days (day date NOT NULL) PARTITION BY RANGE (day)")
        connection.execute("CREATE SCHEMA other CREATE TABLE things (id int)")
        target = ask(connection)
    sql = "ALTER TABLE users ALTER COLUMN short TYPE varchar(5);\nALTER TABLE users ALTER COLUMN price TYPE numeric(12,2);\n"
    bounds = "ALTER TABLE days ATTACH PARTITION days_1 FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');"

    found = lint_files([plain(tmp_path, sql + bounds)], target=target)

    assert set(target.tables) == {"users", "days", "other.things"}
    assert target.tables["users"].types == {"id": "int8", "short": "varchar(50)", "price": "numeric(10,2)", "at": "timestamp"}
    assert target.tables["users"].is_small
    assert target.tables["days"].key == ("day",)
    assert [entry.finding.object for entry in found.report.accepted] == ["users.short"]
    assert codes(found) == ["MIG023"]


def test_squawk_is_not_heard_where_our_rules_know_better(tmp_path: Path) -> None:
    sql = (
        "ALTER TABLE users ALTER COLUMN a TYPE varchar(200);\nALTER TABLE users ALTER COLUMN b TYPE text;\n"
        "ALTER TABLE users DROP CONSTRAINT users_a_given;\nCREATE TABLE things (id bigint PRIMARY KEY, n int);\n"
    )

    found = lint_files([plain(tmp_path, sql)])

    assert squawk.program() is not None
    assert (codes(found), found.notes) == ([], ())


def test_squawk_speaks_where_no_rule_of_ours_looks(tmp_path: Path) -> None:
    found = lint_files([plain(tmp_path, "SELECT 1;\nCREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');")])

    assert [(finding.rule.code, finding.place and finding.place.line) for finding in found.report.findings] == [("MIG020", 2)]


def test_without_squawk_our_rules_judge_alone_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))

    found = lint_files([plain(tmp_path, "CREATE INDEX i ON users (a);")])

    assert codes(found) == ["MIG001"]
    assert "squawk is not installed" in found.notes[0]


def test_every_code_that_squawk_is_mapped_to_exists() -> None:
    from pgkeel.migrations.lint import REGISTRY

    assert set(squawk.CODES.values()) <= {rule.code for rule in REGISTRY}


@pytest.mark.parametrize("room", ["postgres", "schema"])
def test_the_migrations_that_we_ship_are_clean(room: str) -> None:
    folder = PGKEEL.folder.parents[1] / room / "migrations"
    files = sorted(folder.glob("*.sql"))

    assert files
    assert codes(lint_files(files)) == []


def test_without_the_parser_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    parser._library.cache_clear()

    with pytest.raises(NotFound) as refused:
        lint_files([plain(tmp_path, "SELECT 1;")])

    assert "pgkeel[lint]" in refused.value.hint
