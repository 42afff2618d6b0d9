"""One conformance suite for the three drivers; it speaks to the port alone."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.access._drivers.asyncpg_driver import AsyncpgDriver
from pgkeel.access._drivers.diagnosis import error_of
from pgkeel.access._drivers.psycopg_async import PsycopgAsyncDriver
from pgkeel.access._drivers.psycopg_sync import PsycopgDriver
from pgkeel.access.errors import ConnectionLost, StatementFailed, Timeout
from pgkeel.core.errors import ConfigError, Unreachable
from pgkeel.core.url import Url
from pgkeel.postgres import connect

DRIVERS: dict[str, Any] = {
    "asyncpg": AsyncpgDriver,
    "another asyncpg": AsyncpgDriver,
    "psycopg-async": PsycopgAsyncDriver,
    "psycopg-sync": PsycopgDriver,
}


async def done(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result


@pytest.fixture(params=DRIVERS)
def colour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The drivers, and asyncpg in a release whose insides nobody has read: then none of them is used."""
    if request.param == "another asyncpg":
        monkeypatch.setattr(asyncpg, "__version__", "0.33.0")
    return str(request.param)


@pytest.fixture
def driver(colour: str, empty_db: Url) -> Any:
    return DRIVERS[colour](empty_db)


@pytest.fixture
async def connection(driver: Any) -> AsyncIterator[Any]:
    opened = await done(driver.connect(2.0))
    yield opened
    opened.abort()


@pytest.mark.majors
async def test_values_travel_both_ways_unchanged(connection: Any) -> None:
    values = [UUID(int=7), "é'\\", Decimal("1.10"), datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), True, None, 2**40]
    statement = "SELECT $1::uuid, $2::text, $3::numeric, $4::timestamptz, $5::boolean, $6::text, $7::bigint"
    assert list(await done(connection.fetch_row(statement, values))) == values
    assert await done(connection.fetch_row("SELECT 1 WHERE false", [])) is None
    assert [list(row) for row in await done(connection.fetch("SELECT n FROM generate_series(1, $1::int) n", [3]))] == [
        [1],
        [2],
        [3],
    ]


@pytest.mark.majors
async def test_json_arrives_as_values(connection: Any) -> None:
    row = list(await done(connection.fetch_row("""SELECT '{"a": [1, null, 123456789012345678901234567890]}'::jsonb""", [])))
    assert row == [{"a": [1, None, 123456789012345678901234567890]}]
    assert type(row[0]["a"][2]) is int


async def test_names_and_counts_are_told(connection: Any) -> None:
    assert await done(connection.execute("CREATE TABLE t (a int, b text)")) == 0
    assert await done(connection.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, $1::int) n", [5])) == 5
    names, rows = await done(connection.fetch_named("SELECT a, b FROM t ORDER BY a LIMIT 1", []))
    assert (names, [list(row) for row in rows]) == (("a", "b"), [[1, "x"]])
    names, rows = await done(connection.fetch_named("UPDATE t SET a = 0", []))
    assert (names, list(rows)) == ((), [])


async def test_copy_writes_all_or_nothing(connection: Any) -> None:
    await done(connection.execute('CREATE TABLE "T x" (a int4 CHECK (a > 0), "b c" text)'))
    place = (["T x"], ["a", "b c"], ["int4", "text"])
    assert await done(connection.copy(*place, iter([(1, "é\t\\N"), (2, None)]))) == 2
    with pytest.raises(Exception, match=r"check|constraint"):
        await done(connection.copy(*place, iter([(3, "x"), (-1, "y")])))
    assert list(await done(connection.fetch_row('SELECT count(*), max("b c") FROM "T x"', []))) == [2, "é\t\\N"]


@pytest.mark.parametrize("colour", ["asyncpg", "another asyncpg"], indirect=True)
async def test_json_goes_in_by_copy_and_comes_out_the_same_before_and_after_it(connection: Any) -> None:
    await done(connection.execute("CREATE TABLE j (id int4, a jsonb, b json, c jsonb[])"))
    place = (["j"], ["id", "a", "b", "c"], ["int4", "jsonb", "json", "jsonb[]"])
    for key in (1, 2):
        row = (key, '{"a": [1, null, 1e400]}', '"\\ud800"', ["{}", None])
        assert await done(connection.copy(*place, iter([row]))) == 1
        assert list(await done(connection.fetch_row("SELECT a, b, c FROM j WHERE id = $1", [key]))) == [
            {"a": [1, None, 10**400]},
            "\ud800",
            [{}, None],
        ]
        with pytest.raises(Exception, match="json"):
            await done(connection.copy(*place, iter([(3, "{", "1", [])])))
    assert list(await done(connection.fetch_row("SELECT $1::jsonb", ['{"a": 1.5}']))) == [{"a": 1.5}]


async def test_a_table_that_changes_heals_outside_a_transaction(connection: Any, empty_db: Url) -> None:
    await done(connection.execute("CREATE TABLE t (a int)"))
    await done(connection.execute("INSERT INTO t VALUES (1)"))
    for _ in range(6):
        assert list(await done(connection.fetch_row("SELECT * FROM t", []))) == [1]
    with connect(empty_db) as other:
        other.execute("ALTER TABLE t ADD COLUMN b int DEFAULT 2")
    assert list(await done(connection.fetch_row("SELECT * FROM t", []))) == [1, 2]


async def test_a_reset_leaves_no_setting_and_no_lock(connection: Any) -> None:
    await done(connection.execute("SET work_mem = '77MB'"))
    await done(connection.execute("SELECT pg_advisory_lock(1)"))
    await done(connection.reset())
    assert list(await done(connection.fetch_row("SHOW work_mem", []))) != ["77MB"]
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assert list(await done(connection.fetch_row(held, []))) == [0]
    assert list(await done(connection.fetch_row("SHOW timezone", []))) == ["UTC"]


async def test_errors_become_ours(driver: Any, connection: Any) -> None:
    for statement, kind, limit in (("SELECT * FROM nowhere", StatementFailed, "1min"), ("SELECT pg_sleep(5)", Timeout, "50ms")):
        await done(connection.execute(f"SET statement_timeout = '{limit}'"))
        with pytest.raises(driver.errors) as caught:
            await done(connection.fetch_row(statement, []))
        assert type(error_of(driver.diagnose(caught.value), "x")) is kind


async def test_the_end_of_a_connection_is_noticed(driver: Any, connection: Any, superuser: Url) -> None:
    (pid,) = await done(connection.fetch_row("SELECT pg_backend_pid()", []))
    assert not connection.is_cut()
    with connect(superuser) as other:
        other.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
    for _ in range(200):
        if connection.is_cut():
            break
        await asyncio.sleep(0.01)
    assert connection.is_cut()
    with pytest.raises(driver.errors) as caught:
        await done(connection.fetch_row("SELECT 1", []))
    assert isinstance(error_of(driver.diagnose(caught.value), "x"), ConnectionLost)
    assert not connection.is_open()


async def test_a_refused_connection_says_where_and_no_password(colour: str) -> None:
    url = Url.parse("postgresql://me:hunter2@127.0.0.1:1/x")
    with pytest.raises(Unreachable) as caught:
        await done(DRIVERS[colour](url).connect(2.0))
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_socket_address_has_no_tls() -> None:
    arguments = connect_arguments(Url.parse("postgresql://app@/db?host=/run/x&port=5433&sslmode=verify-full"), {})
    assert (arguments["host"], arguments["port"], arguments["user"], arguments["database"]) == ("/run/x", 5433, "app", "db")
    assert "ssl" not in arguments


def test_the_printed_address_is_understood(tmp_path: Path) -> None:
    root = _self_signed(tmp_path)
    text = f"postgresql://app@127.0.0.1:5433/db?sslmode=verify-full&sslrootcert={root}&passfile=/secrets/pass"
    arguments = connect_arguments(Url.parse(text), {"timezone": "UTC"})
    context = arguments["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert len(context.get_ca_certs()) == 1
    assert (arguments["passfile"], arguments["server_settings"]) == ("/secrets/pass", {"timezone": "UTC"})


@pytest.mark.parametrize(
    "option", ["channel_binding=require", "sslmode=verify-full", "require_auth=scram-sha-256", "sslmode=nonsense"]
)
def test_what_asyncpg_cannot_do_is_refused_not_forgotten(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError):
        connect_arguments(Url.parse(f"postgresql://app@127.0.0.1/db?{option}"), {})


def _self_signed(folder: Path) -> Path:
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    start = datetime(2024, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=36500))
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    path = folder / "ca.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def test_another_asyncpg_is_warned_about_and_only_what_it_documents_is_used(
    empty_db: Url, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asyncpg, "__version__", "0.33.0")
    with caplog.at_level(logging.WARNING):
        opened = await AsyncpgDriver(empty_db).connect(2.0)
    (record,) = caplog.records
    assert "access.unknown_asyncpg version=0.33.0 known=0.32.*" in record.message
    assert opened._protocol is None
    opened.abort()


@pytest.mark.parametrize("colour", ["asyncpg", "another asyncpg"], indirect=True)
async def test_a_statement_heals_after_a_change_of_its_table(connection: Any) -> None:
    await connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    assert [list(row) for row in await connection.fetch("SELECT * FROM t", [])] == [[1]]
    await connection.execute("ALTER TABLE t ALTER a TYPE text")
    assert list(await connection.fetch_row("SELECT * FROM t", [])) == ["1"]
    await connection.execute("ALTER TABLE t ADD b integer")
    assert [list(row) for row in await connection.fetch("SELECT * FROM t", [])] == [["1", None]]
