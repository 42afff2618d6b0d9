"""A database and a copy of it as it was."""

from collections.abc import Iterator, Sequence

import pytest

from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.deletions import deleted_rows, later, was_emptied
from pgkeel.backup.recovery.wal import Wal
from pgkeel.backup.rows import Gone, RowsBack, Storage, put_back
from pgkeel.backup.rows.shape import Table
from pgkeel.backup.tools import Tools
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import Connection, connect

SETUP = """
CREATE TABLE author (id int PRIMARY KEY, email text UNIQUE, boss int REFERENCES author ON DELETE SET NULL);
CREATE TABLE post (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    author int NOT NULL REFERENCES author,
    title text NOT NULL,
    length int GENERATED ALWAYS AS (length(title)) STORED,
    version int NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE comment (id int PRIMARY KEY, post int NOT NULL REFERENCES post ON DELETE CASCADE, words text);
CREATE TABLE reply (id int PRIMARY KEY, comment int NOT NULL REFERENCES comment ON DELETE CASCADE, author int REFERENCES author);
CREATE TABLE event (id int, month int, post int REFERENCES post ON DELETE SET NULL, PRIMARY KEY (id, month))
    PARTITION BY LIST (month);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE nokey (n int);
INSERT INTO author VALUES (1, 'a@x', NULL), (2, 'b@x', 1), (3, 'c@x', 1);
INSERT INTO post (author, title, version) SELECT 1 + n % 3, 'title ' || n, n FROM generate_series(1, 30) AS n;
INSERT INTO comment SELECT n, 1 + n % 30, 'words ' || n FROM generate_series(0, 89) AS n;
INSERT INTO reply SELECT n, n, 2 FROM generate_series(0, 89) AS n;
INSERT INTO event SELECT n, 1, 1 + n % 30 FROM generate_series(0, 59) AS n;
"""


class Pair:
    """A database and a copy of it as it was, and the WAL since then."""

    def __init__(self, live: Connection, past: Connection, cluster: Cluster, url: Url) -> None:
        self.live, self.past, self.cluster, self.url = live, past, cluster, url
        self.start = parse_lsn(self.rows("SELECT pg_current_wal_insert_lsn()::text")[0][0])  # type: ignore[arg-type]

    def run(self, statement: str) -> None:
        self.live.execute(statement.encode())

    def rows(self, query: str, *, past: bool = False) -> list[tuple[object, ...]]:
        side = self.past if past else self.live
        return [tuple(row.values()) for row in side.execute(query.encode())]

    def back(self, table: str, **options: object) -> RowsBack:
        return put_back(self.live, self.past, Table("public", table), **options)  # type: ignore[arg-type]

    def back_knowing(self, table: str, **options: object) -> RowsBack:
        return self.back(table, deletions=self.deletions, **options)

    def deletions(self, storages: Sequence[Storage]) -> Gone:
        """Read the WAL of the live database; the copy's files have the same numbers in a database of another."""
        self.run("SELECT pg_logical_emit_message(true, 'test', 'flushed')")
        runtime = self.cluster.plan.runtime
        tools = Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)
        wal = Wal(self.cluster.data / "pg_wal", 1, self.start)
        late = later(tuple(wal.commits(tools)), self.start, is_kept=False)
        ((database,),) = self.rows("SELECT oid::text FROM pg_database WHERE datname = current_database()")
        then = {one: "/".join((one.then.split("/")[0], str(database), one.then.split("/")[2])) for one in storages}
        rows = deleted_rows(wal, tools, tuple(then.values()), late)
        moved = [one for one in storages if one.now != then[one]]
        return Gone(
            [(one.relation, *place) for one in storages for place in rows[then[one]]],
            [one.relation for one in moved if one.now is None or was_emptied(wal, tools, then[one], one.now, late)],
        )


@pytest.fixture
def pair(cluster: Cluster, empty_db: Url) -> Iterator[Pair]:
    with connect(empty_db) as live:
        live.execute(SETUP.encode())
    past_name = f"{empty_db.database}_past"
    cluster.create_database(past_name, template=empty_db.database)
    with connect(empty_db) as live, connect(cluster.superuser_url(past_name)) as past:
        yield Pair(live, past, cluster, empty_db)
    cluster.drop_database(past_name)
