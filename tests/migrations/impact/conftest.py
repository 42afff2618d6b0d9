"""A database with a large table, a small one, and a migration that waits."""

import pytest

from pgkeel.migrations import Source, up
from pgkeel.postgres import Connection
from tests.migrations.folders import Write

SCHEMA = """-- Up Migration
CREATE TABLE users (id int PRIMARY KEY, name varchar(50), age int, filler text);
CREATE TABLE orders (id int PRIMARY KEY, buyer int, total int);
CREATE INDEX by_total ON orders (total);
CREATE TABLE days (day date) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
-- Down Migration
DROP TABLE days, orders, users;
"""
ROWS = "INSERT INTO users SELECT g, g, g, repeat('x', 1000) FROM generate_series(1, 12000) AS g"


@pytest.fixture
def shop(connection: Connection, app: Source, write: Write) -> Source:
    """`users` takes 13 MiB, which is more than small; `orders` is empty."""
    write("20240101000000_shop", SCHEMA)
    up(connection, [app])
    connection.execute(ROWS)
    connection.execute("ANALYZE users")
    return app
