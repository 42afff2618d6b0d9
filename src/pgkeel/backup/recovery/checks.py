"""Prove that what was restored is sound before anybody works on it; one check a function, and none stops the others."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType

import msgspec
import psycopg

from pgkeel.backup.recovery.pace import Pace
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.recovery.side import SideServer
from pgkeel.backup.tools import Tools
from pgkeel.core.errors import KeelError
from pgkeel.core.telling import Report, counted, silent
from pgkeel.postgres import Connection, connect, describe, identifier, load

__all__ = ["Check", "Look", "check_offline", "check_online"]

_SHOWN = 3
_COUNTED = re.compile(r"(files scanned|blocks scanned|bad checksums):\s+(\d+)")
_SCHEMA = "pgkeel_verify"
_EXTENSIONS = ("amcheck", "pg_visibility")

Look = Callable[[Connection], "Check"]


class Check(msgspec.Struct, frozen=True):
    """What one check found.

    Attributes:
        name: `amcheck`, `visibility`, `rows`, `schema`, `assertion NAME`, `checksums`, …
        ok: Whether all is well; None where it could not be evaluated.
        detail: What was looked at, or what is wrong.
    """

    name: str
    ok: bool | None
    detail: str


def check_online(
    server: SideServer,
    tools: Tools,
    database: str,
    *,
    more: Mapping[str, Look] = MappingProxyType({}),
    assertions: Mapping[str, str],
    report: Report = silent,
) -> tuple[Check, ...]:
    """Run every check that needs the server, which runs as a primary on its private socket.

    Args:
        server: What was restored.
        tools: Those of its major.
        database: The application's database; indexes and visibility maps are checked in all.
        more: Name → what else is looked at in the application's database.
        assertions: Name → a query whose first value must be true.
        report: Hears what is looked at, and how far it is.
    """
    with connect(server.superuser_url(), application="pgkeel verify") as connection:
        databases = [row["name"] for row in load(__name__, "databases").rows(connection)]
    report("reading every table and index (pg_amcheck)")
    found = [_each(server, databases, "amcheck", lambda name: _amcheck(server, tools, name, report))]
    report("comparing visibility maps with their pages, and counting rows twice")
    found.append(_each(server, databases, "visibility", lambda name: _visibility(server, name)))
    with connect(server.superuser_url(database), application="pgkeel verify") as connection:
        found.append(_check("rows", lambda: _rows(connection)))
        found += [_check(name, partial(look, connection)) for name, look in more.items()]
        found += [_check(f"assertion {name}", partial(_assertion, connection, query)) for name, query in assertions.items()]
    return tuple(found)


def check_offline(server: SideServer, tools: Tools, report: Report = silent) -> Check:
    """Read every page's checksum; the server is stopped."""
    if "checksum version:           0" in (read := outcome(tools, "pg_controldata", [server.data])).said:
        return Check("checksums", None, "not evaluated: the cluster has none (`initdb --data-checksums`)")
    report("reading every page (pg_checksums)")
    read = outcome(tools, "pg_checksums", ["--check", "-D", server.data], Pace("read", report))
    if read.code == 0:
        return Check("checksums", True, ", ".join(f"{number} {name}" for name, number in _COUNTED.findall(read.said.lower())))
    return Check("checksums", False, " ".join(read.said.split())[:300])


def _each(server: SideServer, databases: Sequence[str], name: str, look: Callable[[str], str]) -> Check:
    """Look at every database with the extensions at hand; they are gone afterwards."""

    def all_of_them() -> str:
        return "; ".join(f"{database}: {fault}" for database in databases for fault in [_with(server, database, look)] if fault)

    return _check(name, all_of_them, sound=counted(len(databases), "database"))


def _with(server: SideServer, database: str, look: Callable[[str], str]) -> str:
    with _extensions(server, database):
        return look(database)


def _check(name: str, look: "Callable[[], str | Check]", *, sound: str = "") -> Check:
    try:
        fault = look()
    except KeelError as err:
        return Check(name, False, err.message)
    except psycopg.Error as err:
        return Check(name, False, describe(err))
    if isinstance(fault, Check):
        return fault
    said = fault.removeprefix("✓").strip()
    return Check(name, not fault or fault.startswith("✓"), said or sound or "sound")


@contextmanager
def _extensions(server: SideServer, database: str) -> Iterator[None]:
    with connect(server.superuser_url(database), application="pgkeel verify") as connection:
        load(__name__, "make_verify_schema").named(schema=identifier(_SCHEMA)).run(connection)
        for name in _EXTENSIONS:
            load(__name__, "add_extension").named(name=identifier(name), schema=identifier(_SCHEMA)).run(connection)
    try:
        yield
    finally:
        with connect(server.superuser_url(database), application="pgkeel verify") as connection:
            load(__name__, "drop_verify_schema").named(schema=identifier(_SCHEMA)).run(connection)


def _amcheck(server: SideServer, tools: Tools, database: str, report: Report) -> str:
    url = server.superuser_url(database)
    place = [f"--host={url.host}", f"--port={url.port}", f"--username={url.user}", f"--database={database}"]
    read = outcome(tools, "pg_amcheck", ["--heapallindexed", "--jobs=2", "--no-password", *place], Pace("checked", report))
    return " ".join(read.said.split())[:300] if read.code else ""


def _visibility(server: SideServer, database: str) -> str:
    """Return the tables whose visibility map says more than their pages: what an unsound incremental restores."""
    with connect(server.superuser_url(database), application="pgkeel verify") as connection:
        schema = load(__name__, "extension_schema").scalar(connection, name="pg_visibility")
        query = load(__name__, "visibility_faults").named(
            frozen=identifier(schema, "pg_check_frozen"), visible=identifier(schema, "pg_check_visible")
        )
        return ", ".join(f"{row['name']}: {row['faults']} tuples" for row in query.rows(connection)[:_SHOWN])


def _rows(connection: Connection) -> str:
    """Count each table by its pages and by its primary key: both must agree."""
    total, tables = 0, 0
    for row in load(__name__, "tables_with_keys").rows(connection):
        with connection.transaction():
            load(__name__, "count_by_pages").run(connection)
            count = load(__name__, "count").named(table=identifier(row["schema"], row["name"]))
            by_pages = count.scalar(connection)
            load(__name__, "count_by_key").run(connection)
            by_key = count.scalar(connection)
        if by_pages != by_key:
            return f"{row['schema']}.{row['name']} has {by_pages} rows by its pages and {by_key} by its primary key"
        total, tables = total + by_pages, tables + 1
    return f"✓ {counted(total, 'row')} in {counted(tables, 'table')}, by pages and by primary key"


def _assertion(connection: Connection, query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    value = next(iter(row.values())) if row else None
    return "" if value is True else f"it returned {value!r} instead of true"
