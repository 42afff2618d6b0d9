"""The dangerous operations of strong_migrations' README, as SQL, and the safe form that it names beside each."""

from pathlib import Path

import pytest

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint import lint_files

OPERATIONS = {
    "removing a column": ("ALTER TABLE users DROP COLUMN some_column;", "ALTER TABLE users ADD COLUMN other text;"),
    "changing the type of a column": (
        "ALTER TABLE users ALTER COLUMN some_column TYPE bigint;",
        "ALTER TABLE users ALTER COLUMN some_column TYPE varchar(255);\nALTER TABLE users ALTER COLUMN some_column TYPE text;",
    ),
    "renaming a column": ("ALTER TABLE users RENAME COLUMN a TO b;", "ALTER TABLE users ADD COLUMN b text;"),
    "renaming a table": ("ALTER TABLE users RENAME TO customers;", "CREATE TABLE customers (id bigint PRIMARY KEY);"),
    "creating a table with the force option": (
        "DROP TABLE IF EXISTS users CASCADE;\nCREATE TABLE users (id bigint PRIMARY KEY);",
        "CREATE TABLE users (id bigint PRIMARY KEY);",
    ),
    "adding an auto-incrementing column": (
        "ALTER TABLE citext_users ADD COLUMN id bigserial PRIMARY KEY;",
        "CREATE TABLE numbered (id bigserial PRIMARY KEY);",
    ),
    "adding a stored generated column": (
        "ALTER TABLE users ADD COLUMN some_column text GENERATED ALWAYS AS (lower(name)) STORED;",
        "ALTER TABLE users ADD COLUMN some_column text;",
    ),
    "adding a foreign key": (
        "ALTER TABLE users ADD CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id);",
        (
            "ALTER TABLE users ADD CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id) NOT VALID;\n"
            "ALTER TABLE users VALIDATE CONSTRAINT fk;"
        ),
    ),
    "adding a check constraint": (
        "ALTER TABLE users ADD CONSTRAINT price_check CHECK (price > 0);",
        (
            "ALTER TABLE users ADD CONSTRAINT price_check CHECK (price > 0) NOT VALID;\n"
            "ALTER TABLE users VALIDATE CONSTRAINT price_check;"
        ),
    ),
    "executing SQL directly": (
        "DO $$ BEGIN EXECUTE 'ALTER TABLE users DROP COLUMN a'; EXECUTE current_setting('x.y'); END $$;",
        "DO $$ BEGIN RAISE NOTICE 'harmless'; END $$;",
    ),
    "backfilling data": (
        "BEGIN;\nALTER TABLE users ADD COLUMN plan text;\nUPDATE users SET plan = 'free';\nCOMMIT;",
        "UPDATE users SET plan = 'free' WHERE id BETWEEN 1 AND 1000;",
    ),
    "adding an index non-concurrently": ("CREATE INDEX i ON users (a);", "CREATE INDEX CONCURRENTLY i ON users (a);"),
    "removing an index non-concurrently": ("DROP INDEX i;", "DROP INDEX CONCURRENTLY i;"),
    "adding a reference": (
        "ALTER TABLE users ADD COLUMN city_id bigint;\nCREATE INDEX i ON users (city_id);",
        "ALTER TABLE users ADD COLUMN city_id bigint;\nCREATE INDEX CONCURRENTLY i ON users (city_id);",
    ),
    "adding a reference with its foreign key": (
        "ALTER TABLE users ADD COLUMN city_id bigint REFERENCES cities (id);",
        (
            "ALTER TABLE users ADD COLUMN city_id bigint;\nCREATE INDEX CONCURRENTLY i ON users (city_id);\n"
            "ALTER TABLE users ADD CONSTRAINT fk FOREIGN KEY (city_id) REFERENCES cities (id) NOT VALID;"
        ),
    ),
    "adding a unique constraint": (
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE (a);",
        "CREATE UNIQUE INDEX CONCURRENTLY u ON users (a);\nALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX u;",
    ),
    "adding an exclusion constraint": (
        "ALTER TABLE users ADD CONSTRAINT e EXCLUDE USING gist (number WITH =);",
        "CREATE TABLE rooms (id bigint PRIMARY KEY, n int, EXCLUDE USING gist (n WITH =));",
    ),
    "adding a json column": ("ALTER TABLE users ADD COLUMN a json;", "ALTER TABLE users ADD COLUMN a jsonb;"),
    "adding a column with a volatile default value": (
        "ALTER TABLE users ADD COLUMN a uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE users ADD COLUMN a uuid;\nALTER TABLE users ALTER COLUMN a SET DEFAULT gen_random_uuid();",
    ),
    "setting NOT NULL on an existing column": (
        "ALTER TABLE users ALTER COLUMN a SET NOT NULL;",
        (
            "ALTER TABLE users ADD CONSTRAINT n CHECK (a IS NOT NULL) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT n;\n"
            "ALTER TABLE users ALTER COLUMN a SET NOT NULL;\nALTER TABLE users DROP CONSTRAINT n;"
        ),
    ),
    "renaming an enum value": ("ALTER TYPE mood RENAME VALUE 'a' TO 'b';", "ALTER TYPE mood ADD VALUE 'b';"),
    "renaming a schema": ("ALTER SCHEMA a RENAME TO b;", "CREATE SCHEMA b;"),
    "keeping non-unique indexes to three columns or less": (
        "CREATE INDEX CONCURRENTLY i ON users (a, b, c, d);",
        "CREATE INDEX CONCURRENTLY i ON users (d, b);",
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_dangerous_operation_is_caught_and_its_safe_form_is_not(operation: str, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text(OPERATIONS[operation][0])
    (tmp_path / "good.sql").write_text(OPERATIONS[operation][1])

    assert lint_files([tmp_path / "bad.sql"]).report.exit_code(Severity.WARNING) == 1
    assert lint_files([tmp_path / "good.sql"]).report.findings == ()
