"""Databases that serve one test after the other: to make one is 300 files and 0.1 s of CPU, to drop it a checkpoint.

After a test a database is as new, or it is dropped. As new means: no object that it did not begin with, in any catalog; no row
of the server's own books about it (settings, rights, slots, prepared transactions); its tables as they were.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pgkeel.core.errors import KeelError
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect

__all__ = ["Stall"]

# all but those that say again what others say, and what ANALYZE finds out
_CATALOGS = """
SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
  AND relname NOT IN ('pg_depend', 'pg_description', 'pg_init_privs', 'pg_largeobject', 'pg_statistic', 'pg_statistic_ext_data')
"""
_BOOKS = """
SELECT datacl::text, datdba, datconnlimit, datallowconn, datistemplate,
  (SELECT count(*) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid),
  (SELECT count(*) FROM pg_replication_slots r WHERE r.database = d.datname),
  (SELECT count(*) FROM pg_prepared_xacts p WHERE p.database = d.datname),
  (SELECT count(*) FROM pg_subscription b WHERE b.subdbid = d.oid)
FROM pg_database d WHERE datname = current_database()
"""
_ALONE = """
SELECT bool_and(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_WRITTEN = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind IN ('r', 'm') AND oid >= 16384 AND relnamespace <> 'information_schema'::regnamespace
  AND (reltuples >= 0 OR pg_relation_size(oid) > 0) AND NOT oid = ANY(%s::oid[])
"""
_SEEDED = (
    "SELECT oid, oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND pg_relation_size(oid) > 0 ORDER BY 1"
)
_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL
"""
_EMPTIED = """
DO $$
DECLARE one text;
BEGIN
  FOR one IN SELECT format('EVENT TRIGGER %I', evtname) FROM pg_event_trigger
    UNION ALL SELECT format('PUBLICATION %I', pubname) FROM pg_publication
    UNION ALL SELECT format('EXTENSION %I CASCADE', extname) FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT format('SCHEMA %I CASCADE', nspname) FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  LOOP
    EXECUTE 'DROP ' || one;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema';
"""


class _State:
    """What a database was like when it was new."""

    def __init__(self, connection: Connection) -> None:
        counted = "SELECT {0!r}, count(*), max(xmin::text::bigint) FROM {0}"
        self.catalogs = " UNION ALL ".join(counted.format(name) for (name,) in _rows(connection, _CATALOGS))
        self.books = _rows(connection, _BOOKS)
        self.objects = self.rows_of_catalogs(connection)
        self.seeded = dict(_rows(connection, _SEEDED))
        self.seeds = self.rows_seeded(connection)

    def rows_of_catalogs(self, connection: Connection) -> list[Any]:
        """How many rows each has and which was written last: nothing is made, changed or dropped that this does not show."""
        return _rows(connection, self.catalogs)

    def rows_seeded(self, connection: Connection) -> list[Any]:
        """What the tables hold that held something."""
        digest = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM"
        return [_rows(connection, f"{digest} {name} t") for name in self.seeded.values()]


class Stall:
    """The databases of one worker that are made alike."""

    def __init__(self, make: Callable[[], Url], drop: Callable[[Url], None]) -> None:
        """Have none yet; `make` makes one, `drop` drops it."""
        self._make, self._drop = make, drop
        self._free: list[Url] = []
        self._states: dict[Url, _State] = {}

    def take(self) -> Url:
        """Return a new database, or one that is as new."""
        if self._free:
            return self._free.pop()
        url = self._make()
        with connect(url) as connection:
            self._states[url] = _State(connection)
        return url

    def give_back(self, url: Url) -> None:
        """Keep it for the next test, or drop it."""
        try:
            with connect(url) as connection:
                is_new = _renew(connection, self._states[url])
        except (psycopg.Error, KeelError):
            is_new = False  # a test closed it for everybody, or left something that cannot be dropped
        if is_new:
            self._free.append(url)
        else:
            del self._states[url]
            self._drop(url)


def _renew(connection: Connection, state: _State) -> bool:
    """Make a database as it was; whether it is."""
    connection.execute("SET client_min_messages = warning; SET lock_timeout = '5s'")
    connection.execute(_ALONE)
    objects = state.rows_of_catalogs(connection)
    if objects == state.objects:
        written = [name for (name,) in _rows(connection, _WRITTEN, list(state.seeded))]
        if written:
            connection.execute(f"TRUNCATE {', '.join(written)} CASCADE")
            objects = state.rows_of_catalogs(connection)
        connection.execute(_SEQUENCES)
    elif state.seeded:
        return False
    else:
        connection.execute(_EMPTIED)
        objects = state.rows_of_catalogs(connection)
    connection.execute("SELECT pg_stat_reset()")
    is_new = _counts(objects) == _counts(state.objects)
    state.objects = objects
    return is_new and (_rows(connection, _BOOKS), state.rows_seeded(connection)) == (state.books, state.seeds)


def _counts(objects: list[Any]) -> list[Any]:
    return [row[:2] for row in objects]


def _rows(connection: Connection, query: str, *values: Any) -> list[Any]:
    return connection.cursor(row_factory=tuple_row).execute(query, values or None).fetchall()
