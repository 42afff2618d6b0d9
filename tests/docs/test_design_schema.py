"""The design's own DDL, line by line, against a database that our migration files made."""

import re
from collections.abc import Iterator

import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from tests.docs.design import DESIGN, ROOT

MIGRATIONS = ROOT / "src/pgkeel/schema/migrations"
BLOCKS = re.findall(r"```sql\n(.*?)```", DESIGN.read_text(encoding="utf-8"), re.DOTALL)
TABLES = dict(re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", "".join(BLOCKS), re.DOTALL))
COLUMNS = [(table, line.strip().rstrip(",")) for table, body in TABLES.items() for line in body.strip().splitlines()]
# idx_table_column is the design's pattern of a name, not an index
INDEXES = [entry for entry in re.findall(r"CREATE INDEX (\w+) ON (\w+)(.*);", "".join(BLOCKS)) if entry[0] != "idx_table_column"]
# TIMESTAMP is the design's shorthand for what its own rule says: TIMESTAMP WITH TIME ZONE
TYPES = {"UUID": "uuid", "TIMESTAMP": "timestamp with time zone"}

FIRST_ENCRYPTION = "20240104120000"

pytestmark = pytest.mark.majors


@pytest.fixture
def database(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as connection:
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.name >= FIRST_ENCRYPTION:
                break  # what becomes of the two columns, tests/schema/test_encrypted_reference.py shows
            up = file.read_text(encoding="utf-8").partition("-- Down Migration")[0]
            connection.execute(up.encode())
        yield connection


def column_of(database: Connection, table: str, name: str) -> dict[str, object]:
    query = """
        SELECT format_type(atttypid, atttypmod) AS type, attnotnull AS is_required, pg_get_expr(adbin, adrelid) AS standard
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = %(table)s::regclass AND attname = %(name)s
    """
    row = database.execute(query, {"table": table, "name": name}).fetchone()
    assert row is not None, f"{table} has no column {name}"
    return dict(row)


def index_of(database: Connection, name: str) -> str:
    row = database.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %(name)s", {"name": name}).fetchone()
    assert row is not None, f"there is no index {name}"
    return str(row["indexdef"])


def expected_type(declared: str) -> str:
    return TYPES.get(declared, declared.lower().replace("varchar", "character varying"))


def test_the_design_has_tables_and_indexes() -> None:
    assert set(TABLES) == {"users", "sessions"}
    assert len(COLUMNS) == 13
    assert len(INDEXES) == 7


def test_every_column_of_the_designs_tables_is_there(database: Connection) -> None:
    for table, line in COLUMNS:
        name, declared, rest = re.fullmatch(r"(\w+) (\S+)(.*)", line).groups()  # type: ignore[union-attr] # the design is fixed
        column = column_of(database, table, name)
        assert column["type"] == expected_type(declared), line
        assert column["is_required"] or not re.search("PRIMARY KEY|NOT NULL", rest), line
        standard = re.search(r"DEFAULT ('?\w+'?(?:\(\))?)", rest)
        assert standard is None or standard[1] in str(column["standard"]), line


def test_every_unique_column_and_key_of_the_design_is_one(database: Connection) -> None:
    for table, line in COLUMNS:
        if "UNIQUE" in line or "PRIMARY KEY" in line:
            query = """
                SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                WHERE indrelid = %(table)s::regclass AND attname = %(name)s AND indisunique AND indnatts = 1
            """
            assert database.execute(query, {"table": table, "name": line.split()[0]}).fetchone(), line


def test_every_index_of_the_design_is_there_under_its_name(database: Connection) -> None:
    for name, table, tail in INDEXES:
        definition = index_of(database, name)
        assert f" ON public.{table} " in definition, name
        method, first = re.fullmatch(r"(?: USING (\w+))?\((.*?)[,)].*", tail).groups()  # type: ignore[union-attr]
        assert f"USING {method or 'btree'}" in definition, name
        assert first.partition("(")[0] in definition, name
        assert ("WHERE" in tail) == ("WHERE" in definition), name


def test_a_users_sessions_go_with_it(database: Connection) -> None:
    user = database.execute("INSERT INTO users (email, password_hash) VALUES ('a@b.example', '!') RETURNING id").fetchone()
    assert user is not None
    database.execute(
        "INSERT INTO sessions (user_id, token, expires_at) VALUES (%(id)s, repeat('a', 64), now() + interval '1 hour')", user
    )
    database.execute("DELETE FROM users WHERE id = %(id)s", user)
    assert database.execute("SELECT count(*) AS n FROM sessions").fetchone() == {"n": 0}


@pytest.mark.parametrize(
    ("child", "column", "parent"),
    [
        ("posts", "user_id", "users"),
        ("comments", "user_id", "users"),
        ("comments", "post_id", "posts"),
        ("user_roles", "user_id", "users"),
        ("user_roles", "role_id", "roles"),
    ],
)
def test_every_relationship_of_the_design_is_a_required_foreign_key(
    database: Connection, child: str, column: str, parent: str
) -> None:
    query = """
        SELECT attnotnull FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE contype = 'f' AND conrelid = %(child)s::regclass AND confrelid = %(parent)s::regclass AND attname = %(column)s
    """
    assert database.execute(query, {"child": child, "parent": parent, "column": column}).fetchone() == {"attnotnull": True}


def test_every_time_has_a_zone_every_json_is_jsonb_and_nothing_is_a_float(database: Connection) -> None:
    query = """
        SELECT DISTINCT format_type(atttypid, NULL) AS type FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0
    """
    types = {row["type"] for row in database.execute(query)}
    assert {"uuid", "timestamp with time zone", "jsonb", "numeric"} <= types
    assert not types & {"timestamp without time zone", "json", "double precision", "real", "money"}


def test_money_has_nineteen_digits_and_four_behind_the_point(database: Connection) -> None:
    assert column_of(database, "events", "amount")["type"] == "numeric(19,4)"


def test_every_status_is_checked(database: Connection) -> None:
    for table in ("users", "posts", "comments"):
        query = "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = %(name)s"
        row = database.execute(query, {"name": f"{table}_status_check"}).fetchone()
        assert row is not None
        assert "'deleted'" in row["text"]


def test_every_foreign_key_has_an_index(database: Connection) -> None:
    query = """
        SELECT conrelid::regclass::text AS child, conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
        AND connamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])
    """
    assert database.execute(query).fetchall() == []


def test_the_designs_partition_takes_january_2024_in_utc(database: Connection) -> None:
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    database.execute(
        "INSERT INTO events (type, occurred_at) VALUES ('a', '2024-01-01 00:00+00'), ('a', '2024-01-31 23:59:59+00')"
    )
    database.execute(
        "INSERT INTO events (type, occurred_at) VALUES ('a', '2023-12-31 23:59:59+00'), ('a', '2024-02-01 00:00+00')"
    )
    rows = database.execute("SELECT tableoid::regclass::text AS part, count(*) AS n FROM events GROUP BY 1 ORDER BY 1").fetchall()
    assert rows == [{"part": "events_2024_01", "n": 2}, {"part": "events_default", "n": 2}]


def test_the_designs_example_migration_is_shipped_unchanged() -> None:
    (block,) = [block for block in BLOCKS if "-- Up Migration" in block]
    (file,) = MIGRATIONS.glob("*_add_phone.sql")
    assert file.read_text(encoding="utf-8").split() == block.split()


def test_the_designs_first_file_keeps_its_name() -> None:
    assert (MIGRATIONS / "20240101120000_create_users_table.sql").is_file()
