"""Projects of other tools: the real ones where they are installed, and the layouts that their manuals describe."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from pgkeel.core.errors import KeelError, NotFound, Refused, UsageError
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source, down, status, up
from pgkeel.migrations.errors import BadMigration, Irreversible
from pgkeel.migrations.imports import Imported, convert, take_over, write_imported
from pgkeel.migrations.verify import verify
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import Snapshot, snapshot

DBMATE = {
    "20240101000000_users.sql": "-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY);\n\n-- migrate:down\nDROP TABLE users;\n",
    "20240102000000_index.sql": (
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON users (id);\n"
        "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY i;\n"
    ),
    "20240103000000_note.sql": "-- migrate:up\nCOMMENT ON TABLE users IS '-- migrate:down';\n\n-- migrate:down\n",
    "README.md": "not a migration",
}
GOLANG = {
    "000001_users.up.sql": "CREATE TABLE users (id int PRIMARY KEY);\nCREATE TABLE posts (id int PRIMARY KEY)\n",
    "000001_users.down.sql": "DROP TABLE posts;\nDROP TABLE users;\n",
    "000002_index.up.sql": "CREATE INDEX CONCURRENTLY i ON users (id);\n",
    "000002_index.down.sql": "DROP INDEX CONCURRENTLY i;\n",
    "000010_own.up.sql": "BEGIN;\nALTER TABLE users ADD COLUMN n int;\nCOMMIT;\n",
}
FLYWAY = {
    "V1__users.sql": "CREATE TABLE users (id int PRIMARY KEY);\n",
    "V1.1__Add_name.sql": "ALTER TABLE users ADD COLUMN name text;\n",
    "U1.1__Add_name.sql": "ALTER TABLE users DROP COLUMN name;\n",
    "V10__later.sql": "ALTER TABLE users ADD COLUMN late int;\n",
    "V2__index.sql": "CREATE INDEX CONCURRENTLY i ON users (id);\n",
    "V2__index.sql.conf": "executeInTransaction=false\n",
}
NODE = {
    "1700000000000_users.sql": "-- Up Migration\nCREATE TABLE users (id int PRIMARY KEY);\n--Down Migration\nDROP TABLE users;\n",
    "1700000000500_more.sql": "ALTER TABLE users ADD COLUMN n int;\n---- Down Migration\nALTER TABLE users DROP COLUMN n;\n",
    "20240101000000000_utc.sql": "ALTER TABLE users ADD COLUMN late int;\n",
}
YOYO = {
    "0001.users.sql": "CREATE TABLE users (id int PRIMARY KEY);\n",
    "0001.users.rollback.sql": "DROP TABLE users;\n",
    "a_first.py": (
        'from yoyo import step\n__depends__ = {"0001.users"}\n'
        'steps = [step("ALTER TABLE users ADD COLUMN n int", "ALTER TABLE users DROP COLUMN n"),\n'
        '         step("UPDATE users SET n = 1")]\n'
    ),
    "0002.index.sql": "-- depends: a_first\n-- transactional: false\nCREATE INDEX CONCURRENTLY i ON users (n);\n",
    "0002.index.rollback.sql": "DROP INDEX CONCURRENTLY i;\n",
}
ALEMBIC_ENV = """
from alembic import context
from sqlalchemy import create_engine
import os
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["THE_URL"]).connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
"""
ALEMBIC_HEAD = '"""{title}"""\nfrom alembic import op\nimport sqlalchemy as sa\nrevision = "{id}"\ndown_revision = {down}\n'
BESIDE = "with op.get_context().autocommit_block():\n        "
ALEMBIC = {
    "a1": ("users", 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))', 'op.drop_table("users")'),
    "b2": ("add name", 'op.add_column("users", sa.Column("name", sa.Text))', 'op.drop_column("users", "name")'),
    "c3": (
        "index",
        f'{BESIDE}op.create_index("i", "users", ["name"], postgresql_concurrently=True)',
        f'{BESIDE}op.drop_index("i", postgresql_concurrently=True)',
    ),
}


def written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tmp_path / "old"


def taken_over(connection: Connection, tool: str, folder: Path, source: Source) -> tuple[tuple[Imported, ...], Snapshot]:
    """Import, make sure that the schema stays as it was, and return what was imported and the schema."""
    before = snapshot(connection)
    found = convert(tool, folder, source)
    write_imported(found)
    shown = take_over(connection, tool, found, folder, source)
    assert snapshot(connection) == before
    assert verify(connection, [source]).violations == ()
    return shown, before


@pytest.mark.majors
def test_dbmate_files_go_up_and_down_as_ours(connection: Connection, app: Source, old: Path) -> None:
    found = convert("dbmate", written(old, DBMATE), app)
    write_imported(found)

    assert [one.path.name for one in found] == [name for name in DBMATE if name.endswith(".sql")]
    assert [bool(one.file.irreversible) for one in found] == [False, False, True]
    assert len(up(connection, [app]).steps) == 3
    with pytest.raises(Irreversible, match="dbmate had no way back"):
        down(connection, [app])
    assert connection.execute("SELECT obj_description('users'::regclass) AS c").fetchone() == {"c": "-- migrate:down"}


@pytest.mark.majors
def test_what_dbmate_applied_counts_as_applied(connection: Connection, app: Source, old: Path) -> None:
    connection.execute(
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)"
    )
    connection.execute("INSERT INTO schema_migrations VALUES ('20240101000000')")

    shown, _ = taken_over(connection, "dbmate", written(old, DBMATE), app)

    assert [one.is_applied for one in shown] == [True, False, False]
    assert len(up(connection, [app]).steps) == 2
    assert taken_over(connection, "dbmate", old, app)[0] == shown
    assert len(status(connection, [app]).applied) == 3


def test_golang_migrate_counts_everything_up_to_its_version(connection: Connection, app: Source, old: Path) -> None:
    connection.execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)")
    connection.execute("INSERT INTO schema_migrations VALUES (2, false)")
    connection.execute(
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (id int PRIMARY KEY); CREATE INDEX i ON users (id)"
    )

    shown, _ = taken_over(connection, "golang-migrate", written(old, GOLANG), app)

    assert [(one.id, one.is_applied) for one in shown] == [("1", True), ("2", True), ("10", False)]
    assert [one.path.name[14:] for one in shown] == ["_users.sql", "_index.sql", "_own.sql"]
    assert len(up(connection, [app]).steps) == 1
    connection.execute("UPDATE schema_migrations SET dirty = true")
    with pytest.raises(Refused, match="2 failed half-way"):
        take_over(connection, "golang-migrate", shown, old, app)


@pytest.mark.majors
def test_flyway_versions_keep_their_order_and_undone_ones_are_pending(connection: Connection, app: Source, old: Path) -> None:
    history = "installed_rank int, version varchar(50), type varchar(20), script text, success boolean"
    connection.execute(f"CREATE TABLE flyway_schema_history ({history}); CREATE TABLE users (id int PRIMARY KEY)".encode())
    rows = [(1, "1", "SQL"), (2, "1.1", "SQL"), (3, "1.1", "UNDO_SQL"), (4, None, "SQL")]
    for rank, version, kind in rows:
        connection.execute("INSERT INTO flyway_schema_history VALUES (%s, %s, %s, 'x', true)", [rank, version, kind])

    shown, _ = taken_over(connection, "flyway", written(old, FLYWAY), app)

    assert [(one.id, one.is_applied) for one in shown] == [("1", True), ("1.1", False), ("2", False), ("10", False)]
    assert len(up(connection, [app]).steps) == 3
    assert shown[1].file.down is not None


def test_node_pg_migrate_markers_and_times_are_read_as_it_reads_them(connection: Connection, app: Source, old: Path) -> None:
    connection.execute("CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255), run_on timestamp)")
    connection.execute("INSERT INTO pgmigrations (name, run_on) VALUES ('1700000000000_users', now())")
    connection.execute("CREATE TABLE users (id int PRIMARY KEY)")

    shown, _ = taken_over(connection, "node-pg-migrate", written(old, NODE), app)

    assert [one.path.name for one in shown] == ["20231114221320_users.sql", "20231114221321_more.sql", "20240101000000_utc.sql"]
    assert [one.is_applied for one in shown] == [True, False, False]
    assert shown[1].file.down is not None
    assert len(up(connection, [app]).steps) == 2


@pytest.mark.skipif(importlib.util.find_spec("yoyo") is None, reason="yoyo is not installed: `make venv-bench`")
def test_what_the_real_yoyo_applied_counts_as_applied(connection: Connection, empty_db: Url, app: Source, old: Path) -> None:
    written(old, {name: text for name, text in YOYO.items() if not name.startswith("0002")})
    address = empty_db.reveal().replace("postgresql://", "postgresql+psycopg://")
    argv = [sys.executable, "-m", "yoyo", "apply", "--batch", "--no-config-file", "--database", address, str(old)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=old)
    assert done.returncode == 0, done.stderr
    written(old, YOYO)

    shown, _ = taken_over(connection, "yoyo", old, app)

    assert [(one.id, one.is_applied) for one in shown] == [("0001.users", True), ("a_first", True), ("0002.index", False)]
    assert len(up(connection, [app]).steps) == 1
    assert len(down(connection, [app], Options(allow_data_loss=True), count=3).steps) == 3


def alembic_project(folder: Path) -> Path:
    written(folder, {"alembic.ini": "[alembic]\nscript_location = %(here)s/scripts\n"})
    written(folder / "scripts", {"env.py": ALEMBIC_ENV, "script.py.mako": ""})
    earlier = "None"
    for number, (title, forth, back) in ALEMBIC.items():
        head = ALEMBIC_HEAD.format(title=title, id=number, down=earlier)
        text = f"{head}def upgrade():\n    {forth}\n\ndef downgrade():\n    {back}\n"
        written(folder / "scripts" / "versions", {f"{number}.py": text})
        earlier = f'"{number}"'
    return folder


def alembic(folder: Path, url: Url, *arguments: str) -> None:
    argv = [sys.executable, "-m", "alembic", *arguments]
    address = url.reveal().replace("postgresql://", "postgresql+psycopg://")
    done = subprocess.run(argv, cwd=folder, env={**os.environ, "THE_URL": address}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("alembic") is None, reason="alembic is not installed: `make venv-bench`")
def test_what_the_real_alembic_applied_counts_as_applied(connection: Connection, empty_db: Url, app: Source, old: Path) -> None:
    alembic(alembic_project(old), empty_db, "upgrade", "b2")

    shown, _ = taken_over(connection, "alembic", old, app)

    assert [(one.id, one.is_applied) for one in shown] == [("a1", True), ("b2", True), ("c3", False)]
    assert [one.path.name[14:] for one in shown] == ["_users.sql", "_add_name.sql", "_index.sql"]
    assert "alembic_version" not in "".join(one.file.text for one in shown)
    assert len(up(connection, [app]).steps) == 1
    assert len(down(connection, [app], Options(allow_data_loss=True), count=3).steps) == 3
    assert len(up(connection, [app]).steps) == 3


@pytest.mark.skipif(importlib.util.find_spec("alembic") is None, reason="alembic is not installed: `make venv-bench`")
def test_a_revision_that_asks_the_database_is_refused_with_its_line(app: Source, old: Path) -> None:
    alembic_project(old)
    text = (old / "scripts" / "versions" / "c3.py").read_text()
    asking = text.replace("def upgrade():", 'def upgrade():\n    op.get_bind().execute(sa.text("SELECT 1")).scalar()')
    (old / "scripts" / "versions" / "c3.py").write_text(asking)

    with pytest.raises(BadMigration, match=r"c3\.py:7:1: alembic cannot print its SQL"):
        convert("alembic", old, app)


@pytest.mark.parametrize(
    ("tool", "files", "message"),
    [
        ("dbmate", {"1_a.sql": "SELECT 1;\n"}, "1_a.sql:1:1: no -- migrate:up"),
        ("dbmate", {"1_a.sql": "-- migrate:up env:X\nSELECT 1;\n"}, "1_a.sql:1:1: the option env"),
        ("dbmate", {"1_a.sql": "-- migrate:up\n\\i other.sql\n-- migrate:down\n"}, "1_a.sql:2:1: "),
        ("dbmate", {"1_a.sql": "-- migrate:up\nCOPY a FROM STDIN;\n-- migrate:down\n"}, "1_a.sql:2:1: COPY"),
        ("dbmate", {"1_a.sql": "-- migrate:up\nSELECT 'x\n"}, "1_a.sql:2:8: "),
        ("dbmate", {"1_a.sql": "-- migrate:up\n-- Down Migration\n-- migrate:down\n"}, "1_a.sql:2:1: this comment"),
        ("golang-migrate", {"1_a.up.sql": "BEGIN;\nROLLBACK;\nCOMMIT;"}, "1_a.up.sql:2:1: ROLLBACK"),
        ("golang-migrate", {"1_a.down.sql": "SELECT 1;"}, "1_a.down.sql:1:1: the version 1 has a down and no up"),
        ("golang-migrate", {"1_a.up.json": "{}"}, "1_a.up.json:1:1: a .json file"),
        ("flyway", {"R__view.sql": "SELECT 1;"}, "R__view.sql:1:1: a repeatable migration"),
        ("flyway", {"V1__a.sql": "SELECT 1;\nSELECT '${name}';"}, "V1__a.sql:2:9: ${name} is a placeholder"),
        ("flyway", {"V1__a.java": "class A {}"}, "V1__a.java:1:1: a .java migration"),
        ("flyway", {"V1__a.sql": "SELECT 1;", "V1_0__b.sql": "SELECT 1;"}, "stands twice"),
        ("flyway", {"afterMigrate.sql": "SELECT 1;"}, "afterMigrate.sql:1:1: a callback"),
        ("node-pg-migrate", {"1_a.js": "exports.up = 1"}, "1_a.js:1:1: a migration in JavaScript"),
        ("yoyo", {"a.py": "from yoyo import step\nstep(lambda c: c)\n"}, "a.py:2:1: this step is a program"),
        ("yoyo", {"a.py": "from yoyo import step\nstep(\n"}, "a.py:2:1: not Python"),
        ("yoyo", {"a.sql": "-- depends: b\nSELECT 1;"}, "it depends on b"),
        ("yoyo", {"a.sql": "-- depends: b\nSELECT 1;", "b.sql": "-- depends: a\nSELECT 1;"}, "in a circle"),
        ("dbmate", {"README.md": ""}, "there is no migration of dbmate"),
        ("alembic", {"README.md": ""}, "there is no alembic.ini"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_file_and_line(
    tool: str, files: dict[str, str], message: str, app: Source, old: Path
) -> None:
    with pytest.raises(KeelError) as refused:
        convert(tool, written(old, files), app)

    assert message in refused.value.message
    assert refused.value.hint
    assert list(app.folder.iterdir()) == []


def test_a_ledger_that_names_a_lost_file_or_is_somebody_elses_is_refused(connection: Connection, app: Source, old: Path) -> None:
    found = convert("dbmate", written(old, DBMATE), app)
    connection.execute("CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES ('20230101000000')")
    connection.execute("CREATE TABLE other (x int)")

    with pytest.raises(Refused, match="20230101000000 is applied and its file is not there"):
        take_over(connection, "dbmate", found, old, app)
    with pytest.raises(Refused, match="other is not a ledger of dbmate"):
        take_over(connection, "dbmate", found, old, app, table="other")
    with pytest.raises(NotFound, match="no table nowhere"):
        take_over(connection, "dbmate", found, old, app, table="nowhere")


def test_files_of_an_earlier_import_are_kept_and_others_are_not_overwritten(app: Source, old: Path) -> None:
    found = convert("dbmate", written(old, DBMATE), app)
    write_imported(found[:1])
    write_imported(found)
    found[0].path.write_text("-- Up Migration\n-- Down Migration\n")

    with pytest.raises(Refused, match="with another text"):
        write_imported(found)
    with pytest.raises(UsageError, match="is the folder of pgkeel's own"):
        convert("dbmate", app.folder, app)


def test_a_dry_run_records_nothing(empty_db: Url, app: Source, old: Path) -> None:
    found = convert("dbmate", written(old, DBMATE), app)
    with connect(empty_db) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES ('20240101000000')"
        )

        shown = take_over(connection, "dbmate", found, old, app, options=Options(dry_run=True))

        assert [one.is_applied for one in shown] == [True, False, False]
        assert connection.execute("SELECT FROM pg_namespace WHERE nspname = 'pgkeel'").rowcount == 0


NPM = Path(__file__).parents[2] / "bench" / ".npm" / "node_modules" / ".bin"


def from_npm(program: str) -> str:
    """Return a tool that the benchmarks installed, or skip the test."""
    if not (NPM / program).exists():
        pytest.skip(f"{program} is not installed: `make bench NAME=runners` brings it")
    return str(NPM / program)


def plain(url: Url) -> str:
    """Return an address that programs in Go and JavaScript read."""
    known = url.keywords()
    query = urlencode({"host": known["host"], "port": known["port"], "sslmode": "disable"})
    return f"postgres://{known['user']}:{quote(known['password'], safe='')}@/{known['dbname']}?{query}"


@pytest.mark.long
def test_what_the_real_dbmate_applied_counts_as_applied(connection: Connection, empty_db: Url, app: Source, old: Path) -> None:
    argv = [from_npm("dbmate"), "--env", "THE_URL", "--migrations-dir", str(old), "--no-dump-schema", "migrate"]
    written(old, {name: text for name, text in DBMATE.items() if name < "20240103"})
    done = subprocess.run(argv, env={**os.environ, "THE_URL": plain(empty_db)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written(old, DBMATE)

    shown, _ = taken_over(connection, "dbmate", old, app)

    assert [one.is_applied for one in shown] == [True, True, False]
    assert len(up(connection, [app]).steps) == 1


@pytest.mark.long
def test_what_the_real_node_pg_migrate_applied_counts_as_applied(
    connection: Connection, empty_db: Url, app: Source, old: Path
) -> None:
    argv = [from_npm("node-pg-migrate"), "up", "--migrations-dir", str(old), "--database-url-var", "THE_URL"]
    written(old, {name: text for name, text in NODE.items() if name < "1700000000001"})
    done = subprocess.run(argv, env={**os.environ, "THE_URL": plain(empty_db)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    written(old, NODE)

    shown, _ = taken_over(connection, "node-pg-migrate", old, app)

    assert [one.is_applied for one in shown] == [True, False, False]
    assert len(up(connection, [app]).steps) == 2
