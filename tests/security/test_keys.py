"""The life of keys: added, activated, rotated beside an application, retired, destroyed; and killed at any batch."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.core.cipher import CannotOpen, header_of
from pgkeel.core.errors import KeelError, Refused
from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security import keys as ring_of_keys
from pgkeel.security.keys import KeyInUse, KeyProvider, KeyRing, NoSuchKey, TooEarly, WrappedKey, WrongProvider, WrongState
from pgkeel.testing.keys import provider_for_tests
from tests.security.sealed_table import AT_ONCE, EMAIL, FIELDS, NOTE, Life, fill, make_table, problems, put

ROOT = Path(__file__).parents[2]


@pytest.fixture
def provider(tmp_path: Path) -> KeyProvider:
    ring_of_keys.ensure_local_key(tmp_path / "fields.key")
    return ring_of_keys.provider_from("file:fields.key", tmp_path)


@pytest.fixture
def connection(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        make_table(opened)
        yield opened


@pytest.fixture
def ring(connection: Connection, provider: KeyProvider) -> KeyRing:
    ring_of_keys.ensure(connection, provider)
    return ring_of_keys.load_ring(connection, provider)


def activate_new(connection: Connection, provider: KeyProvider, ring: KeyRing) -> int:
    key = ring_of_keys.add(connection, provider)
    ring_of_keys.activate(connection, key.id, refresh=AT_ONCE)
    ring.take(ring_of_keys.keys_of(connection))
    return key.id


def rows_under(connection: Connection, key: int, column: str = "email") -> int:
    query = f"SELECT count(*) AS rows FROM people WHERE substring({column} FROM 1 FOR 5) = %s"
    row = connection.execute(query.encode(), (header_of(key),)).fetchone()
    assert row is not None
    return int(row["rows"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE people ALTER note TYPE text USING 'clear'", "people.note is text"),
        ("ALTER TABLE people DROP COLUMN note", "people.note is not"),
        ("ALTER TABLE people DROP COLUMN email_bidx_next", "people.email_bidx_next is not"),
        ("DROP TABLE people", "people.email is not"),
    ],
)
def test_a_column_that_the_models_have_and_the_database_not_is_named(
    connection: Connection, provider: KeyProvider, ring: KeyRing, change: str, said: str
) -> None:
    activate_new(connection, provider, ring)
    connection.execute(change.encode())
    with pytest.raises(Refused, match=said) as caught:
        ring_of_keys.rotate(connection, ring, FIELDS)
    assert caught.value.hint
    with pytest.raises(Refused, match=said):
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    with pytest.raises(Refused):
        ring_of_keys.find(connection, ring, EMAIL if "email" in said else NOTE, "ada@example.org")


def test_a_key_is_kept_where_a_policy_may_hide_its_values(connection: Connection, provider: KeyProvider, ring: KeyRing) -> None:
    activate_new(connection, provider, ring)
    role = f"keeper_{random_id().hex}"
    for statement in (
        f"CREATE ROLE {role}",
        f"GRANT ALL ON SCHEMA pgkeel TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA pgkeel, public TO {role}",
        "CREATE TABLE vault (id uuid PRIMARY KEY, body bytea)",
        f"ALTER TABLE vault OWNER TO {role}",
        "ALTER TABLE vault ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE vault FORCE ROW LEVEL SECURITY",
    ):
        connection.execute(statement.encode())
    try:
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(KeyInUse, match=r"public\.vault\.body"):
            ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    finally:
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
        connection.execute(f"DROP ROLE {role}".encode())


def test_a_row_whose_value_does_not_open_is_named_by_the_rotation(
    connection: Connection, provider: KeyProvider, ring: KeyRing
) -> None:
    rows = list(fill(connection, ring, 3))
    connection.execute("UPDATE people SET note = (SELECT note FROM people WHERE id = %s) WHERE id = %s", (rows[0], rows[1]))
    activate_new(connection, provider, ring)
    with pytest.raises(CannotOpen, match=str(rows[1])):
        ring_of_keys.rotate(connection, ring, FIELDS)


def test_a_key_goes_its_way_and_no_step_comes_early(connection: Connection, provider: KeyProvider, ring: KeyRing) -> None:
    fill(connection, ring, 20)
    minute = timedelta(minutes=1)
    added = ring_of_keys.add(connection, provider)
    assert (added.id, added.state) == (2, "pending")
    with pytest.raises(WrongState):
        ring_of_keys.add(connection, provider)
    with pytest.raises(TooEarly) as caught:
        ring_of_keys.activate(connection, 2, refresh=minute)
    assert "again in" in caught.value.hint
    ring_of_keys.activate(connection, 2, refresh=AT_ONCE)
    assert ring_of_keys.activate(connection, 2, refresh=minute).state == "active"
    ring.take(ring_of_keys.keys_of(connection))
    with pytest.raises(WrongState):
        ring_of_keys.retire(connection, ring, 2, FIELDS, refresh=AT_ONCE)
    with pytest.raises(TooEarly):
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=minute)
    with pytest.raises(KeyInUse) as used:
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert used.value.data == {"used_by": ["people.email"]}


def test_a_rotated_key_is_retired_and_destroyed(connection: Connection, provider: KeyProvider, ring: KeyRing) -> None:
    rows, minute = fill(connection, ring, 20), timedelta(minutes=1)
    activate_new(connection, provider, ring)
    assert [(done.field, done.rows) for done in ring_of_keys.rotate(connection, ring, FIELDS)] == [
        ("people.email", 20),
        ("people.note", 20),
    ]
    assert ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE, dry_run=True).state == "previous"
    assert ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE).state == "retired"
    with pytest.raises(TooEarly):
        ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=minute)
    assert ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE, dry_run=True).state == "retired"
    assert ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE).state == "destroyed"
    assert [(key.id, key.state, key.wrapped is None) for key in ring_of_keys.keys_of(connection)] == [
        (1, "destroyed", True),
        (2, "active", False),
    ]
    assert ring_of_keys.rows_by_key(connection) == {2: 40}
    assert problems(connection, ring, rows) == []
    assert connection.execute("SELECT FROM people WHERE email_bidx_next IS NOT NULL").fetchall() == []
    with pytest.raises(WrongState):
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    with pytest.raises(NoSuchKey):
        ring_of_keys.activate(connection, 9, refresh=AT_ONCE)


def test_bytes_that_only_begin_like_a_sealed_value_are_nobodys(connection: Connection, ring: KeyRing) -> None:
    fill(connection, ring, 3)
    connection.execute("CREATE TABLE kept (copy bytea)")
    for first in (1, 2):
        connection.execute("INSERT INTO kept VALUES (%s)", (bytes([first]) + b"\xfe" * 60,))
    assert ring_of_keys.rows_by_key(connection) == {1: 6}


def test_a_key_that_something_needs_is_not_destroyed(connection: Connection, provider: KeyProvider, ring: KeyRing) -> None:
    fill(connection, ring, 3)
    connection.execute("CREATE TABLE kept (copy bytea)")
    connection.execute("INSERT INTO kept SELECT note FROM people")
    activate_new(connection, provider, ring)
    ring_of_keys.rotate(connection, ring, FIELDS)
    ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)

    class Backups:
        def holding(self, key: WrappedKey) -> list[str]:
            return [f"backup 2024-01-0{number}" for number in range(1, 4) if key.id == 1]

    with pytest.raises(KeyInUse) as caught:
        ring_of_keys.destroy(connection, ring, 1, FIELDS, holders=[Backups()], refresh=AT_ONCE)
    assert caught.value.data["used_by"] == ["public.kept.copy", *Backups().holding(ring_of_keys.keys_of(connection)[0])]
    assert "backup 2024-01-01" in caught.value.message
    connection.execute("DROP TABLE kept")
    connection.execute(
        "UPDATE people SET email_bidx = decode(md5(id::text), 'hex') WHERE id = (SELECT min(id::text)::uuid FROM people)"
    )
    with pytest.raises(KeyInUse) as moved:
        ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert "digest" in moved.value.message


def test_rows_are_found_by_value_during_every_step(connection: Connection, provider: KeyProvider, ring: KeyRing) -> None:
    rows = fill(connection, ring, 5)
    key, email = next(iter(rows.items()))

    def found() -> list[object]:
        return ring_of_keys.find(connection, ring, EMAIL, f"  {email.upper()} ")

    assert found() == [key]
    activate_new(connection, provider, ring)
    assert found() == [key]
    ring_of_keys.rotate(connection, ring, FIELDS)
    assert found() == [key]
    ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert found() == [key]
    ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert found() == [key]
    with pytest.raises(WrongState):
        ring_of_keys.find(connection, ring, NOTE, "x")


def test_another_key_encryption_key_takes_over_without_touching_a_row(
    connection: Connection, provider: KeyProvider, ring: KeyRing
) -> None:
    rows = fill(connection, ring, 3)
    new = provider_for_tests()
    assert ring_of_keys.rewrap(connection, provider, new) == 1
    assert ring_of_keys.rewrap(connection, provider, new) == 0
    with pytest.raises(WrongProvider):
        ring_of_keys.load_ring(connection, provider)
    assert problems(connection, ring_of_keys.load_ring(connection, new), rows) == []


def test_a_process_that_follows_the_ring_learns_of_a_new_key(
    empty_db: Url, connection: Connection, provider: KeyProvider, ring: KeyRing
) -> None:
    with ring_of_keys.follow(empty_db, provider, every=timedelta(milliseconds=20)) as followed:
        activate_new(connection, provider, ring)
        pause = threading.Event()
        for _ in range(1000):
            if followed.active == 2 or pause.wait(0.02):
                break
        assert followed.active == 2
        assert followed.ids == {1, 2}


class Moody:
    """A provider that is sometimes out of reach, as a KMS is."""

    def __init__(self, inner: KeyProvider) -> None:
        self._inner = inner
        self.failures = 0
        self.is_away = False

    @property
    def name(self) -> str:
        return self._inner.name

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._inner.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        if self.is_away:
            self.failures += 1
            raise TimeoutError
        return self._inner.unwrap(wrapped, context)


def comes(condition: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(condition() or pause.wait(0.02) for _ in range(500))


def test_a_process_goes_on_following_after_whatever_error(
    empty_db: Url, connection: Connection, provider: KeyProvider, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    moody = Moody(provider)
    with ring_of_keys.follow(empty_db, moody, every=timedelta(milliseconds=20)) as followed:
        connection.execute("ALTER TABLE pgkeel.keys RENAME TO gone")
        assert comes(lambda: "keys.not_read" in caplog.text)
        connection.execute("ALTER TABLE pgkeel.gone RENAME TO keys")
        moody.is_away = True
        activate_new(connection, provider, ring)
        assert comes(lambda: moody.failures > 0)
        moody.is_away = False
        assert comes(lambda: followed.active == 2)
    assert followed.ids == {1, 2}


def test_the_first_key_is_made_once(connection: Connection, provider: KeyProvider) -> None:
    assert ring_of_keys.ensure(connection, provider) == 1
    assert ring_of_keys.ensure(connection, provider) == 1
    assert len(ring_of_keys.keys_of(connection)) == 1


def test_a_batch_that_deadlocks_with_a_writer_is_done_again(
    empty_db: Url, connection: Connection, provider: KeyProvider, ring: KeyRing
) -> None:
    first, *_, last = sorted(fill(connection, ring, 5))
    activate_new(connection, provider, ring)
    ring_of_keys.rotate(connection, ring, FIELDS)
    connection.execute("SET deadlock_timeout = '500ms'")  # it looks once: by then the writer must wait
    touch = "UPDATE people SET id = id WHERE id = %s"
    blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0 AS is_blocked"
    with connect(empty_db) as writer, ThreadPoolExecutor(1) as thread:
        writer.execute("SET deadlock_timeout = '1min'")
        with writer.transaction():
            writer.execute(touch, [last])
            retiring = thread.submit(ring_of_keys.retire, connection, ring, 1, FIELDS, refresh=AT_ONCE)
            while not writer.execute(blocked, [connection.info.backend_pid]).fetchone()["is_blocked"]:  # type: ignore[index]
                pass
            writer.execute(touch, [first])

        assert retiring.result().state == "retired"


@pytest.mark.parametrize(
    ("count", "kills"), [(600, 2), pytest.param(100_000, 20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
@pytest.mark.faults
def test_a_rotation_killed_at_any_batch_goes_on_beside_a_reader_and_a_writer(
    empty_db: Url, connection: Connection, provider: KeyProvider, ring: KeyRing, tmp_path: Path, count: int, kills: int
) -> None:
    rows = fill(connection, ring, count)
    put(connection, ring, key := random_id(), "fixed@example.org")
    rows[key] = "fixed@example.org"
    with Life(empty_db, provider, rows) as life:
        activate_new(connection, provider, ring)
        for number in range(kills):
            _rotate_and_kill(empty_db, tmp_path / "fields.key", connection, until=(number + 1) * count // (kills + 1))
        ring_of_keys.rotate(connection, ring, FIELDS)
        ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert life.errors == []
    assert (rows_under(connection, 1), rows_under(connection, 1, "note")) == (0, 0)
    ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert problems(connection, ring, life.rows) == []
    print(f"{count} rows, {kills} kills: {life.reads} reads, {life.writes} writes, {life.refused} duplicates refused, 0 errors")


def _rotate_and_kill(url: Url, file: Path, connection: Connection, *, until: int) -> None:
    """Start a rotation and kill it once it has changed so many rows, or has ended."""
    command = [sys.executable, "-m", "tests.security.run_rotate", url.reveal(), str(file), "50"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while rows_under(connection, 2) < until and process.poll() is None:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_no_error_of_the_ring_says_a_value(connection: Connection, ring: KeyRing) -> None:
    fill(connection, ring, 1)
    connection.execute("UPDATE people SET email = note")
    with pytest.raises(KeelError) as caught:
        ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert "example" not in f"{caught.value} {caught.value.data}"
