"""A monthly table like the design's events: a foreign key, checks, indexes of every kind, a default partition."""

from collections.abc import Iterator

import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect

EVENTS = """
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
INSERT INTO users SELECT gen_random_uuid() FROM generate_series(1, 5);
CREATE TABLE events (
    id          uuid         NOT NULL DEFAULT gen_random_uuid(),
    occurred_at timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    user_id     uuid,
    type        varchar(100) NOT NULL,
    amount      numeric(19,4),
    doubled     numeric GENERATED ALWAYS AS (amount * 2) STORED,
    payload     jsonb        NOT NULL DEFAULT '{}',
    CONSTRAINT events_pkey         PRIMARY KEY (id, occurred_at),
    CONSTRAINT events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT events_type_check   CHECK (type ~ '^[a-z][a-z0-9_.]*$')
) PARTITION BY RANGE (occurred_at);
CREATE INDEX idx_events_occurred_at ON events USING brin (occurred_at);
CREATE INDEX idx_events_user_id ON events (user_id, occurred_at);
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-02-01 00:00:00+00');
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE fired (what text NOT NULL);
CREATE FUNCTION note_fired() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
    INSERT INTO fired VALUES (TG_OP);
    RETURN NULL;
END $f$;
CREATE TRIGGER events_audit AFTER INSERT OR UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION note_fired();
"""

FILL = """
INSERT INTO events (occurred_at, user_id, type, amount, payload)
SELECT %(first)s::timestamptz + (%(last)s::timestamptz - %(first)s::timestamptz) * (n::float8 / %(rows)s),
       (SELECT id FROM users ORDER BY id OFFSET n %% 5 LIMIT 1), 'vote.up', n, jsonb_build_object('n', n)
FROM generate_series(0, %(rows)s - 1) AS n
"""


@pytest.fixture
def events_db(empty_db: Url) -> Url:
    """A database with `events`, a month of it, and its default partition."""
    with connect(empty_db) as connection:
        connection.execute(EVENTS)
    return empty_db


@pytest.fixture
def db(events_db: Url) -> Iterator[Connection]:
    """A connection to it, as the owner of all."""
    with connect(events_db) as connection:
        yield connection


def fill(connection: Connection, rows: int, *, first: str = "2018-03-01", last: str = "2018-10-01") -> None:
    """Put rows into the default partition, evenly from `first` to before `last`."""
    connection.execute(FILL, {"rows": rows, "first": f"{first} 00:00:00+00", "last": f"{last} 00:00:00+00"})
    connection.execute("TRUNCATE fired")
