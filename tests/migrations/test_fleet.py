"""One verb on many databases and schemas."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgkeel.core.errors import ConfigError, Unreachable
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import Options, Outcome, Source, down, status, up
from pgkeel.migrations.errors import MigrationFailed, NotOwned
from pgkeel.migrations.fleet import Member, across, make_schema, read_members
from pgkeel.migrations.verify import verify
from pgkeel.postgres import connect
from pgkeel.postgres.catalog import snapshot
from tests.migrations.folders import Write

RUNNER = Path(__file__).parent / "run_fleet.py"
TABLE = "-- Up Migration\nBEGIN;\nCREATE TABLE {name} (id int PRIMARY KEY, v int);\nCOMMIT;\n"
TABLE += "CREATE INDEX CONCURRENTLY {name}_v ON {name} (v);\n-- Down Migration\nDROP TABLE {name};\n"
PLACE = "SELECT table_schema AS schema FROM information_schema.tables WHERE table_name = 'users' ORDER BY 1"


@pytest.fixture
def shards(cluster: Cluster, empty_db: Url) -> Iterator[tuple[Member, ...]]:
    """Three databases."""
    names = [f"{empty_db.database}_shard_{number}" for number in range(3)]
    for name in names:
        cluster.create_database(name)
    yield tuple(Member(name, cluster.superuser_url(name)) for name in names)
    for name in names:
        cluster.drop_database(name)


def applying(sources: list[Source]) -> Callable[[Member], Outcome]:
    def act(member: Member) -> Outcome:
        with connect(member.url) as connection:
            make_schema(connection, member)
            return up(connection, member.sources(sources), member.options(Options()))

    return act


def places(url: Url) -> list[str]:
    with connect(url) as connection:
        return [row["schema"] for row in connection.execute(PLACE).fetchall()]


def test_each_shard_is_brought_up_to_date_and_what_fails_on_one_does_not_stop_the_others(
    shards: tuple[Member, ...], app: Source, write: Write
) -> None:
    write("20240101000000_users", TABLE.format(name="users"))
    write("20240102000000_orders", TABLE.format(name="orders"))
    away = Member("away", Url.parse("postgresql://nobody@127.0.0.1:1/nothing"))
    with connect(shards[1].url) as connection:
        connection.execute("CREATE TABLE orders (mine int)")

    results = across([shards[0], away, *shards[1:]], applying([app]))

    assert [result.member.name for result in results] == [shards[0].name, "away", shards[1].name, shards[2].name]
    assert [len(result.value.steps) if result.value else type(result.error) for result in results] == [
        2,
        Unreachable,
        NotOwned,
        2,
    ]
    with connect(shards[1].url) as connection:
        connection.execute("DROP TABLE orders")
    again = across(shards, applying([app]))
    assert [len(result.value.steps) if result.value else 0 for result in again] == [0, 2, 0]


def test_tenants_in_schemas_of_one_database_have_each_their_own_state(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_users", TABLE.format(name="users"))
    acme, bolt = Member("acme", empty_db, "acme"), Member("bolt", empty_db, "b'olt")
    with connect(empty_db) as connection:
        connection.execute("CREATE TABLE users (somebody_s int)")

    first = across([acme], applying([app]))
    both = across([acme, bolt], applying([app]))

    assert first[0].value is not None
    assert [len(result.value.steps) if result.value else result.error for result in both] == [0, 1]
    assert places(empty_db) == ["acme", "b'olt", "public"]
    with connect(empty_db) as connection:
        rows = connection.execute("SELECT source FROM pgkeel.migrations ORDER BY source").fetchall()
        assert [row["source"] for row in rows] == ["app@acme", "app@b'olt"]
        assert [state.state for state in status(connection, [app]).migrations] == ["pending"]
        down(connection, acme.sources([app]), acme.options(Options()))
    assert places(empty_db) == ["b'olt", "public"]


def test_a_change_by_hand_in_one_tenant_is_found_there_alone(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_users", TABLE.format(name="users"))
    acme, bolt = Member("acme", empty_db, "acme"), Member("bolt", empty_db, "bolt")
    across([acme, bolt], applying([app]))

    with connect(empty_db) as connection:
        connection.execute("ALTER TABLE acme.users DROP COLUMN v")
        found = [verify(connection, one.sources([app]), schemas=one.options(Options()).search_path) for one in (acme, bolt)]

    assert [verdict.expected_from for verdict in found] == ["ledger", "ledger"]
    assert {one.object for one in found[0].violations} == {"column acme.users.v", "index acme.users_v"}
    assert found[1].violations == ()


def test_the_schemas_of_one_database_follow_each_other_and_databases_run_side_by_side(shards: tuple[Member, ...]) -> None:
    first, second = shards[:2]
    members = [first, Member("tenant", first.url, "tenant"), second]
    meeting, busy = threading.Barrier(2, timeout=20), set[str]()

    def act(member: Member) -> bool:
        was_alone = member.url.database not in busy
        busy.add(member.url.database)
        if not member.schema:
            meeting.wait()  # both databases are at work now
        busy.discard(member.url.database)
        return was_alone

    assert [result.value for result in across(members, act, parallel=2)] == [True, True, True]


def test_a_mistake_of_ours_on_one_is_a_result_too(shards: tuple[Member, ...]) -> None:
    def act(member: Member) -> str:
        if member == shards[0]:
            raise ZeroDivisionError("oh")
        return "fine"

    results = across(shards, act)

    assert results[0].error is not None
    assert "ZeroDivisionError" in results[0].error.message
    assert [result.value for result in results] == [None, "fine", "fine"]


@pytest.mark.faults
def test_a_run_over_shards_that_is_killed_is_finished_by_the_next(
    shards: tuple[Member, ...], app: Source, write: Write, tmp_path: Path
) -> None:
    for number in range(8):
        write(f"{20240101000000 + number}_t{number}", TABLE.format(name=f"t{number}"))
    entries = [f'[[target]]\nname = "{one.name}"\nurl = "env:URL_{number}"\n' for number, one in enumerate(shards)]
    listed = tmp_path / "targets.toml"
    listed.write_text("\n".join(entries))
    environment = {**os.environ, **{f"URL_{number}": one.url.reveal() for number, one in enumerate(shards)}}
    argv = [sys.executable, str(RUNNER), str(listed), str(app.folder)]

    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        for _ in range(4):  # somewhere in the middle of all three
            runner.stdout.readline()
        runner.send_signal(signal.SIGKILL)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = []
    for shard in shards:
        with connect(shard.url) as connection:
            found.append(snapshot(connection))
            assert not status(connection, [app]).pending
            assert connection.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 0
    assert found[0] == found[1] == found[2]


LISTED = """
url = "env:TENANTS"
[[target]]
name = "shard-1"
url = "postgresql://owner@127.0.0.1:5432/one?passfile=/etc/one.pgpass"
[[target]]
schema = "acme"
"""


def test_a_file_lists_databases_and_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTS", "postgresql://owner:geheim@127.0.0.1/tenants")
    path = tmp_path / "targets.toml"
    path.write_text(LISTED)

    shard, tenant = read_members(path)

    assert (shard.name, shard.url.database, shard.schema) == ("shard-1", "one", "")
    assert (tenant.name, tenant.url.database, tenant.schema) == ("acme", "tenants", "acme")
    assert "geheim" not in repr((shard, tenant))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[target]]\nname = 'a'\nurl = 'postgresql://o:geheim@h/d'", "the url of a holds a password"),
        ("[[target]]\nname = 'a'\nurl = 'env:NOWHERE_AT_ALL'", "env:NOWHERE_AT_ALL points to nothing"),
        ("[[target]]\nname = 'a'", "a has no url"),
        ("[[target]]\nurl = 'postgresql://h/d'", "target 1 has no name"),
        ("[[target]]\nname = 'a'\nurl = 'mysql://h/d'", "does not start with postgresql://"),
        ("[[target]]\nname = 'a'\nhost = 'h'", "unknown field `host`"),
        ("target = []", "lists no target"),
        ("[target", "targets.toml"),
        ("url='postgresql://h/d'\n[[target]]\nname='a'\n[[target]]\nname='a'\nschema='s'", "a and a have one name"),
        ("url='postgresql://h/d'\n[[target]]\nname='a'\n[[target]]\nname='b'", "a and b are one place"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_runs(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "targets.toml"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_members(path)

    assert message in caught.value.message
    assert caught.value.hint
    assert "geheim" not in f"{caught.value.message}{caught.value.hint}"


def test_a_tenant_whose_table_is_there_already_is_refused(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_users", TABLE.format(name="users"))
    acme = Member("acme", empty_db, "acme")
    with connect(empty_db) as connection:
        connection.execute("CREATE SCHEMA acme; CREATE TABLE acme.users (x int)")

    assert isinstance(across([acme], applying([app]))[0].error, NotOwned)


def test_what_a_tenant_lacks_is_not_taken_from_public(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_more", "-- Up Migration\nALTER TABLE users ADD COLUMN x int;\n-- Down Migration\nSELECT 1;\n")
    with connect(empty_db) as connection:
        connection.execute("CREATE TABLE public.users (id int)")

    result = across([Member("acme", empty_db, "acme")], applying([app]))[0]

    assert isinstance(result.error, MigrationFailed)
    assert 'relation "users" does not exist' in result.error.message
