"""A disk that is gone, and a machine that is gone: what comes back is everything that anybody was promised."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg
import pytest
from moto.server import ThreadedMotoServer

from pgkeel.backup import recipient_of
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.projects import Home, backups_at_start, new_home, remove_home

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(1500)]


class Load:
    """Four sessions that insert row after row; a row is acknowledged when its INSERT returned."""

    def __init__(self, url: Url) -> None:
        self.acknowledged: list[list[tuple[float, int]]] = [[] for _ in range(4)]
        self._url = url
        self._writers = [threading.Thread(target=self._write, args=(number,)) for number in range(4)]
        for writer in self._writers:
            writer.start()

    def wait_for(self, rows: int, *, seconds: float = 0) -> None:
        until, least = time.monotonic() + 120, time.monotonic() + seconds
        while time.monotonic() < least or any(len(each) < rows for each in self.acknowledged):
            assert time.monotonic() < until
            time.sleep(0.01)

    def lost(self, home: Home) -> tuple[int, int, float]:
        """Wait for the end; return how many rows were acknowledged, how many are gone, and how long before the end the first."""
        for writer in self._writers:
            writer.join()
        found = {int(row) for row in home.ok("psql", "--role", "superuser", "-Atc", "SELECT n FROM promised").splitlines()}
        promised = [one for each in self.acknowledged for one in each]
        gone = [at for at, row in promised if row not in found]
        span = max(at for at, _ in promised) - min(gone) if gone else 0.0
        print(f"{len(promised)} acknowledged rows, {len(gone)} lost, {span:.3f} s")
        return len(promised), len(gone), span

    def _write(self, number: int) -> None:
        try:
            with connect(self._url) as connection:
                for row in range(number * 1_000_000, (number + 1) * 1_000_000):
                    connection.execute("INSERT INTO promised VALUES (%s)", [row])
                    self.acknowledged[number].append((time.monotonic(), row))
        except psycopg.OperationalError:
            return


def made(settings: str) -> Home:
    home = new_home(backups_at_start())
    (home.root / "pgkeel.toml").write_text(f"[local]\nvalkey = false\n[backup]\n{settings}\n")
    home.ok("up")
    home.ok("psql", "-c", "CREATE TABLE promised (n bigint PRIMARY KEY)")
    home.ok("backup", "full", "--yes")
    return home


def kill_the_server_and_its_disk(home: Home) -> None:
    data = home.state / "server" / "postgres" / "data"
    postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
    children = [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
    for pid in (postmaster, *children):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(data)


@pytest.mark.parametrize(("rpo", "allowed"), [("zero", 0.0), ("30s", 0.1)])
def test_what_was_acknowledged_survives_the_server_and_its_disk(rpo: str, allowed: float) -> None:
    home = made(f'rpo = "{rpo}"')
    try:
        load = Load(Url.parse(home.ok("url", "--role", "owner", "--reveal")))
        load.wait_for(50, seconds=3)
        kill_the_server_and_its_disk(home)
        done = home.data("recover", "--yes")
        rows, lost, span = load.lost(home)
    finally:
        remove_home(home)
    assert [step["state"] for step in done["steps"]] == ["done"] * 5
    assert rows > 200
    assert span <= allowed
    assert lost == 0 or allowed > 0


def test_the_copy_elsewhere_alone_loses_no_more_than_half_a_minute() -> None:
    home = made('repositories = {local = "backups", geo = "elsewhere"}')
    other = new_home()
    try:
        load = Load(Url.parse(home.ok("url", "--role", "owner", "--reveal")))
        load.wait_for(50, seconds=45)
        os.kill(home.data("agent", "status")["pid"], signal.SIGKILL)
        kill_the_server_and_its_disk(home)
        for folder in (home.root / "backups", home.root / ".pgkeel-backup" / "wal"):
            shutil.rmtree(folder)
        shutil.copy(home.root / ".pgkeel-backup" / "identity", other.root / "key")
        (other.root / "pgkeel.toml").write_text('[local]\nvalkey = false\n[backup]\nidentity = "file:key"\n')
        other.data("recover", "--from", str(home.root / "elsewhere"), "--yes")
        rows, lost, span = load.lost(other)
    finally:
        remove_home(other)
        remove_home(home)
    assert lost < rows
    assert span <= 30


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty bucket on a server that speaks S3 (moto's)."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    name = f"v{abs(hash(request.node.name))}"  # moto keeps its buckets as long as the process lives
    urlopen(Request(f"{endpoint}/{name}", method="PUT")).close()
    yield f"s3://{name}/keel?endpoint={endpoint}&region=us-east-1"
    server.stop()


def test_on_a_new_machine_the_bucket_and_its_identity_are_enough(bucket: str) -> None:
    home, other = made(f'repositories = {{geo = "{bucket}"}}'), new_home()
    try:
        home.ok("psql", "-c", "INSERT INTO promised SELECT generate_series(1, 1000)")
        if not home.data("security", "keys", "status")["keys"]:
            home.ok("security", "keys", "add")
        known = home.data("security", "keys", "status")["keys"]
        home.ok("backup", "full", "--yes")
        shutil.copy(home.root / ".pgkeel-backup" / "identity", other.root / "identity")
        remove_home(home)
        (other.root / "pgkeel.toml").write_text('[local]\nvalkey = false\n[backup]\nidentity = "file:identity"\n')

        drilled = other.data("backup", "drill", "--yes", "--from", bucket)
        done = other.data("recover", "--from", bucket, "--yes")

        assert (drilled["rpo_seconds"], {check["ok"] for check in drilled["checks"]}) == (None, {True})
        assert done["undo_directory"] is None
        keys = next(check for check in done["checks"] if check["name"] == "keys")
        assert (keys["ok"], keys["detail"]) == (True, f"{len(known)} unwrap")
        assert other.ok("psql", "--role", "app", "-Atc", "SELECT count(*) FROM roles") != "0"
        assert other.ok("psql", "-Atc", "SELECT count(*) FROM promised") == "1000"
        assert other.data("security", "keys", "status")["keys"] == known
        assert other.error("recover", "undo", "--yes")[:2] == (4, "not_restorable")
        assert "is kept" not in other.ok("recover", "status")
        assert other.run("status").returncode == 0
    finally:
        remove_home(other)
        remove_home(home)


def test_the_drills_run_on_another_machine_where_this_one_cannot_open_its_backups(bucket: str) -> None:
    home = made(f'repositories = {{geo = "{bucket}"}}')
    other, identity = new_home(), home.root / ".pgkeel-backup" / "identity"
    try:
        recipient = recipient_of(Secret(identity.read_text().strip()))
        (home.root / "pgkeel.toml").write_text(
            f'[local]\nvalkey = false\n[backup]\nrepositories = {{geo = "{bucket}"}}\nrecipients = ["{recipient}"]\n'
        )
        identity.rename(other.root / "identity")
        assert home.error("backup", "drill", "--yes")[:2] == (2, "config")
        (other.root / "pgkeel.toml").write_text(f'[backup]\nidentity = "file:identity"\nrepositories = {{geo = "{bucket}"}}\n')
        assert other.run("agent", "run", "--only", "nothing").returncode == 2
        assert {one["verified_at"] for one in home.data("backup", "list")["backups"]} == {None}

        agent = other.start("agent", "run", "--only", "drill")
        try:
            until = time.monotonic() + 300
            while not any(one["verified_at"] for one in home.data("backup", "list")["backups"]):
                assert time.monotonic() < until, agent.poll()
                time.sleep(1)
        finally:
            agent.terminate()
            agent.communicate()
    finally:
        remove_home(other)
        remove_home(home)


def test_a_recovered_server_comes_up_in_a_folder_of_its_own_beside_the_real_one() -> None:
    home = made("")
    home.ok("psql", "-c", "INSERT INTO promised VALUES (1)")
    into = home.root / "copy"

    done = home.data("recover", "--into", str(into), "--yes")
    assert [step["state"] for step in done["steps"]] == ["waiting", "done", "done", "done", "waiting"]
    assert 0 < sum(step["seconds"] or 0 for step in done["steps"]) <= done["rto_seconds"] + 0.05
    try:
        with connect(Url.parse(done["url"])) as copy:
            assert copy.execute("SELECT n FROM promised").fetchall() == [{"n": 1}]
        assert home.error("recover", "--into", str(into), "--yes")[0] == 4
        assert home.ok("psql", "-Atc", "SELECT count(*) FROM promised") == "1"
        stop_and_start(home)
    finally:
        os.kill(int((into / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGINT)
        remove_home(home)


def stop_and_start(home: Home) -> None:
    """The commands of the configuration run before and after, with the data directory that they are about."""
    script, told = home.root / "note.sh", home.root / "told"
    script.write_text(
        f'#!/bin/sh\nprintf "%s %s %s\\n" "$1" "$PGDATA" "$(ls "$PGDATA" 2>/dev/null | grep -c postmaster.pid)" >> {told}\n'
    )
    script.chmod(0o755)
    config, into = home.root / "pgkeel.toml", home.root / "second"
    config.write_text(f'{config.read_text()}\n[recover]\nstop = "{script} stop"\nstart = "{script} start"\n')

    done = home.data("recover", "--into", str(into), "--yes")

    assert told.read_text().splitlines() == [f"stop {into}/data 0", f"start {into}/data 0"]
    assert done["instructions"] == []
    assert [(step["number"], step["state"]) for step in done["steps"]] == [(number, "done") for number in range(1, 6)]
    config.write_text(config.read_text().replace(f"{script} stop", "false"))
    assert "`false` ended with 1" in home.error("recover", "--into", str(home.root / "third"), "--yes")[2]
    assert not any((home.root / "third").iterdir())
    config.write_text(config.read_text().replace('stop = "false"', 'stop = "true"').replace(f"{script} start", "no-such-program"))
    code, _, said = home.error("recover", "--into", str(home.root / "third"), "--yes")
    assert (code, said.startswith("recover.start: 'no-such-program' is no program")) == (2, True)
    config.write_text(config.read_text().replace("no-such-program", "say 'it"))
    assert home.error("recover", "--into", str(home.root / "third"), "--yes")[2].startswith("recover.start cannot be read")
