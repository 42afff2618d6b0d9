"""The geo repository goes away for a while and comes back: it is said, nothing is lost, and it catches up by itself."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from tests.backup.proxy import FaultProxy
from tests.projects import Home, backups_at_start, new_home, remove_home
from tests.stack.test_backup import eventually

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """What lies between the stack and a server that speaks S3, with an empty bucket in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    urlopen(Request(f"{endpoint}/away", method="PUT")).close()
    with closing(FaultProxy(endpoint)) as made:
        yield made
    server.stop()


@pytest.fixture
def stack(proxy: FaultProxy) -> Iterator[Home]:
    made = new_home(KEYS | backups_at_start())
    geo = f"s3://away/keel?endpoint={proxy.url}"
    (made.root / "pgkeel.toml").write_text(
        f'[backup]\nrepositories = {{local = "backups", geo = "{geo}"}}\n[local]\nvalkey = false\n'
    )
    made.ok("up")
    yield made
    proxy.is_away = False
    remove_home(made)


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_geo_repository_that_goes_away_is_said_and_catches_up_without_a_loss(stack: Home, proxy: FaultProxy) -> None:
    first = stack.data("backup", "full", "--yes")
    assert {one["name"]: one["state"] for one in first["repositories"]} == {"local": "stored", "geo": "stored"}
    sql(stack, "CREATE TABLE kept (n int)")
    eventually(lambda: health(stack)[0] == 0)

    proxy.is_away = True
    for number in range(4):
        sql(stack, f"INSERT INTO kept VALUES ({number})")
        sql(stack, "SELECT pg_switch_wal()")
    eventually(lambda: any("wal_copier" in one and "nothing" in one for one in health(stack)[1]), seconds=180)
    assert stack.run("agent", "status").returncode == 1
    taken = stack.data("backup", "incremental", "--yes")
    assert {one["name"]: one["state"] for one in taken["repositories"]} == {"local": "stored", "geo": "waiting"}
    here = stack.data("backup", "list")
    assert [one["id"] for one in here["backups"]][-1] == taken["id"]
    assert here["gaps"] == []
    there = stack.error("backup", "list", "--repository", "geo")
    assert there[:2] == (3, "repository_unreachable")
    assert "repository geo" in there[2]
    assert stack.data("backup", "show", taken["id"])["repositories"][1] == {"name": "geo", "state": "unreachable"}
    planned = stack.data("recover", "--dry-run")
    assert any("repository geo" in one and "left out" in one for one in planned["warnings"])

    proxy.faults += [("PUT", 503, b"SlowDown"), ("PUT", 0, b""), ("GET", 500, b"")] * 5
    proxy.is_away = False
    eventually(lambda: health(stack)[0] == 0, seconds=180)
    eventually(lambda: restorable(stack, "geo") >= restorable(stack, "local"))
    both = [stack.data("backup", "list", "--repository", name) for name in ("local", "geo")]
    assert both[0]["backups"] == both[1]["backups"]
    assert both[1]["gaps"] == []
    assert stack.data("backup", "verify")["damaged"] == []
    assert rows_from_geo(stack, proxy) == "0 1 2 3"


def health(stack: Home) -> tuple[int, list[str]]:
    """Return the exit code of `status` and its warnings."""
    done = stack.run("status", "--json")
    return done.returncode, json.loads(done.stdout)["data"]["warnings"]


def sql(stack: Home, statement: str) -> str:
    return stack.ok("psql", "--role", "superuser", "-Atc", statement)


def restorable(stack: Home, repository: str) -> Any:
    return stack.data("backup", "list", "--repository", repository)["restorable"][-1]["to"]


def rows_from_geo(stack: Home, proxy: FaultProxy) -> str:
    """Return the rows as another machine gets them from the geo repository alone."""
    other = new_home(KEYS)
    try:
        shutil.copy(stack.root / ".pgkeel-backup" / "identity", other.root / "identity")
        (other.root / "pgkeel.toml").write_text('[local]\nvalkey = false\n[backup]\nidentity = "file:identity"\n')
        other.data("recover", "--from", f"s3://away/keel?endpoint={proxy.url}", "--yes")
        return sql(other, "SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept")
    finally:
        remove_home(other)
