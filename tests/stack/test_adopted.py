"""Backups that another tool takes: listed, driven, checked, drilled and recovered from through its own program."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg.conninfo
import pytest

from pgkeel.backup.adopted import barman, pgbackrest, walg
from pgkeel.backup.tools import ToolFailed
from pgkeel.local import Account, Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import FAST, scratch_folder
from tests.projects import Home, new_home, remove_home

BARMAN = os.environ.get("BARMAN") or shutil.which("barman")
PGBACKREST = shutil.which("pgbackrest")

BARMAN_CONF = """\
[barman]
barman_user = {user}
barman_home = {home}
log_file = {home}/barman.log

[main]
conninfo = {address}
streaming_conninfo = {address}
path_prefix = {bins}
backup_method = postgres
streaming_archiver = on
slot_name = barman
create_slot = auto
immediate_checkpoint = true
"""
PGBACKREST_CONF = """\
[global]
repo1-path={home}
log-path={home}/log
spool-path={home}/spool
lock-path={home}/lock
start-fast=y
log-level-file=off
archive-timeout=20

[main]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
pg1-user=postgres
"""


class Stand:
    """A server, a tool that backs it up, and a project that has adopted it."""

    def __init__(self, cluster: Cluster, folder: Path, home: Home) -> None:
        self.cluster, self.folder, self.home = cluster, folder, home
        home_url = cluster.superuser_url().reveal()
        self.env = {"ADOPTED_URL": home_url}

    def adopt(self, engine: str, command: list[str]) -> None:
        self.adopt_in(self.home, engine, command)

    @staticmethod
    def adopt_in(home: Home, engine: str, command: list[str]) -> None:
        words = f'engine = "{engine}"\nengine_command = "{shlex.join(command)}"\nengine_server = "main"\n'
        (home.root / "pgkeel.toml").write_text(
            f'[database]\nurl = "env:ADOPTED_URL"\nname = "postgres"\n[local]\nvalkey = false\n[backup]\n{words}'
        )

    def sql(self, statement: str) -> None:
        with connect(self.cluster.superuser_url()) as connection:
            connection.execute(statement.encode())

    def data(self, *arguments: str) -> Any:
        return self.home.data(*arguments, env=self.env)

    def follow(self) -> None:
        """Do everything that one does with backups."""
        self.sql("CREATE TABLE kept AS SELECT n FROM generate_series(1, 1000) AS n")
        self.sql("ALTER TABLE kept ADD PRIMARY KEY (n)")
        full = self.data("backup", "full", "--yes")
        self.sql("INSERT INTO kept VALUES (1001)")
        incremental = self.data("backup", "incremental", "--yes")
        self.sql("INSERT INTO kept VALUES (1002)")
        self.sql("DELETE FROM kept WHERE n <= 500")
        self.sql("SELECT pg_switch_wal()")

        listed = self.data("backup", "list")
        assert [(one["id"], one["kind"]) for one in listed["backups"]] == [
            (full["id"], "full"),
            (incremental["id"], "incremental"),
        ]
        assert self.data("backup", "show", full["id"])["repositories"][0]["state"] == "stored"
        drill = self.home.run("backup", "drill", "--yes", "--json", env=self.env)
        found = json.loads(drill.stdout)["data"]
        assert drill.returncode == 0, drill.stdout + drill.stderr
        assert found["backup"] == incremental["id"]
        assert self.data("backup", "list")["backups"][-1]["verified_at"] is not None
        beside = self.data("recover", "beside", "--before", "DELETE on kept", "--yes")
        assert self.count(beside) == 1002
        self.home.ok("recover", "beside", "--end", "--yes", env=self.env)
        back = self.data("recover", "rows", "--table", "kept", "--before", "DELETE on kept", "--yes")
        assert (back["restored"], back["conflicts"], back["warnings"]) == ({"kept": 500}, [], [])
        into = self.home.root / "recovered"
        recovered = self.data("recover", "--before", "DELETE on kept", "--into", str(into), "--yes")
        os.kill(int((into / "data/postmaster.pid").read_text().splitlines()[0]), signal.SIGINT)
        assert [step["state"] for step in recovered["steps"]] == ["waiting", "done", "done", "done", "waiting"]
        assert self.home.run("backup", "prune", "--json", env=self.env).returncode == 4

    def count(self, beside: Any) -> int:
        from pgkeel.core.url import Url

        with connect(Url.parse(beside["url"])) as connection:
            row = connection.execute("SELECT count(*) AS n FROM kept").fetchone()
        assert row is not None
        return int(row["n"])


@pytest.fixture
def home() -> Iterator[Home]:
    made = new_home()
    yield made
    remove_home(made)


def test_a_tool_that_has_no_backup_yet_is_named(home: Home) -> None:
    program = home.root / "program"
    program.write_text("#!/bin/sh\necho '{\"main\": []}'\n")
    program.chmod(0o700)
    settings = f'engine = "barman"\nengine_command = "{program}"\nengine_server = "main"\n'
    (home.root / "pgkeel.toml").write_text(f"[local]\nvalkey = false\n[backup]\n{settings}")

    code, _, message = home.error("backup", "drill", "--yes")

    assert code == 4
    assert message == "Barman has no backup of main `pgkeel backup full` takes one"


def test_a_password_that_a_tool_says_is_shown_to_nobody(home: Home) -> None:
    program, filler = home.root / "program", "Zq7" * 300  # longer than what is shown, so that the address is cut
    program.write_text(
        f"""#!/bin/sh
case "$*" in
*list-backups*) echo '{{"main": []}}';;
*check*) echo '{{"main": {{"conninfo": {{"status": "FAILED", "hint": "host=h password=Zq7 is wrong"}}}}}}';;
*) echo "cannot connect to postgresql://u:{filler}@h/d or host=h password='a Zq7'" >&2; exit 1;;
esac
"""
    )
    program.chmod(0o700)
    settings = f'engine = "barman"\nengine_command = "{program} --password=Zq7"\nengine_server = "main"\n'
    (home.root / "pgkeel.toml").write_text(f"[local]\nvalkey = false\n[backup]\n{settings}")

    for command in ("backup verify", "backup full --yes", "backup verify --json", "backup full --yes --json", "config show"):
        done = home.run(*command.split())
        assert "Zq7" not in done.stdout + done.stderr, command
        assert "***" in done.stdout + done.stderr, command


@pytest.mark.skipif(BARMAN is None, reason="no barman program (pip needs a compiler for its driver); BARMAN names one")
def test_the_address_that_a_barman_shows_is_shown_without_its_password(home: Home, tmp_path: Path) -> None:
    address = "host=127.0.0.1 port=1 user=u password='a Zq7' no_option=1"
    words = {"user": Path("/proc/self").owner(), "home": tmp_path / "barman", "address": address}
    (tmp_path / "barman/main").mkdir(parents=True)
    (tmp_path / "barman.conf").write_text(BARMAN_CONF.format(**words, bins=find_runtime("17", account=choose_account()).folder))
    argv = [str(BARMAN), "-c", str(tmp_path / "barman.conf")]
    Stand.adopt_in(home, "barman", argv)

    said = subprocess.run([*argv, "-f", "json", "backup", "main"], check=False, capture_output=True, text=True).stdout
    code, name, message = home.error("backup", "full", "--yes", env={"ADOPTED_URL": "postgresql://u@127.0.0.1:1/d"})

    assert "Zq7" in said  # so that it has something to hide
    assert (code, name) == (5, "tool_failed")
    assert "password=***" in message
    assert "Zq7" not in message


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(BARMAN is None, reason="no barman program (pip needs a compiler for its driver); BARMAN names one")
def test_a_barman_is_listed_driven_checked_drilled_and_recovered_from(account: Account, home: Home, tmp_path: Path) -> None:
    with scratch_folder() as place:
        runtime = find_runtime("17", account=account)
        fields: Any = {"runtime": runtime, "account": account, "settings": {**FAST, "summarize_wal": "on"}}
        from pgkeel.core.secret import Secret

        with Cluster.create(place / "one", superuser_password=Secret("x"), **fields) as cluster:
            stand = Stand(cluster, tmp_path, home)
            passfile = tmp_path / "passfile"
            passfile.write_text("*:*:*:*:x\n")
            passfile.chmod(0o600)
            keywords = cluster.superuser_url().keywords()
            del keywords["password"]
            address = psycopg.conninfo.make_conninfo("", **keywords, passfile=str(passfile))
            words = {"user": Path("/proc/self").owner(), "home": tmp_path / "barman", "address": address, "bins": runtime.folder}
            (tmp_path / "barman/main").mkdir(parents=True)
            (tmp_path / "barman.conf").write_text(BARMAN_CONF.format(**words))
            argv = [str(BARMAN), "-c", str(tmp_path / "barman.conf")]
            stand.adopt("barman", argv)
            subprocess.run([*argv, "receive-wal", "--create-slot", "main"], check=True, capture_output=True)
            receiver = subprocess.Popen([*argv, "receive-wal", "main"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                until = time.monotonic() + 60
                while (
                    b"receive-wal running: OK"
                    not in subprocess.run([*argv, "check", "main"], check=False, capture_output=True).stdout
                ):
                    assert time.monotonic() < until
                    time.sleep(0.2)
                stand.follow()
                assert stand.home.run("backup", "verify", "--json", env=stand.env).returncode in {0, 1}
            finally:
                receiver.terminate()
                receiver.wait()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(PGBACKREST is None, reason="no pgbackrest program: apt has it")
def test_a_pgbackrest_is_listed_driven_checked_drilled_and_recovered_from(account: Account, home: Home) -> None:
    with scratch_folder() as place:
        from pgkeel.core.secret import Secret

        runtime = find_runtime("15", account=account)  # Debian 12's pgBackRest knows no later one
        configuration, repository = place / "pgbackrest.conf", place / "repository"
        repository.mkdir()
        shutil.chown(repository, account.uid, account.gid)
        push = f"{PGBACKREST} --config={configuration} --stanza=main --lock-path={repository}/lock-archive archive-push %p"
        settings = {**FAST, "archive_mode": "on", "archive_command": push}
        cluster = Cluster.create(
            place / "one", runtime=runtime, account=account, superuser_password=Secret("x"), settings=settings
        )
        with cluster:
            words = {"home": repository, "data": cluster.data, "port": cluster.port, "socket": cluster.socket}
            configuration.write_text(PGBACKREST_CONF.format(**words))
            passfile = place / "passfile"
            passfile.write_text("*:*:*:*:x\n")
            passfile.chmod(0o600)
            wrapper = place / "pgbackrest"  # the server, which archives, runs under another account than we
            wrapper.write_text(
                f'#!/bin/sh\nexport PGPASSFILE={passfile}\n{PGBACKREST} --config={configuration} "$@"\ncode=$?\n'
                f"chown -R {account.uid}:{account.gid} {repository}\nexit $code\n"
            )
            wrapper.chmod(0o700)
            argv = [str(wrapper)]
            subprocess.run([*argv, "--stanza=main", "stanza-create"], check=True, capture_output=True)
            stand = Stand(cluster, place, home)
            stand.adopt("pgbackrest", argv)
            stand.follow()


def test_a_wal_g_is_read_as_its_documentation_shows_it() -> None:
    row = {
        "backup_name": "base_000000010000000000000009_D_000000010000000000000003",
        "modified": "2026-01-02T03:04:06Z",
        "wal_file_name": "000000010000000000000009",
        "start_time": "2026-01-02T03:04:05.123456Z",
        "finish_time": "2026-01-02T03:04:06.5Z",
        "hostname": "db",
        "data_dir": "/data",
        "pg_version": 170011,
        "start_lsn": 150995240,
        "finish_lsn": 150995504,
        "is_permanent": False,
        "system_identifier": 7712261890968341365,
        "uncompressed_size": 100,
        "compressed_size": 10,
    }
    full = {**row, "backup_name": "base_000000010000000000000003", "finish_time": "2026-01-01T00:00:00Z"}

    found = walg.records_of([row, full])

    assert [(one.id, one.kind, one.parent) for one in found] == [
        (full["backup_name"], "full", None),
        (row["backup_name"], "incremental", full["backup_name"]),
    ]
    assert (found[1].start_lsn, found[1].server_version, found[1].timeline) == ("0/9000128", "17.11", 1)


@pytest.mark.parametrize("read", [walg.records_of, pgbackrest.records_of, barman.record_of])
def test_a_tool_that_answers_something_else_is_named(read: Any) -> None:
    with pytest.raises(ToolFailed, match="did not say what was expected"):
        read([{"unknown": 1}])


def test_without_the_program_or_its_server_the_command_says_what_to_write(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text('[backup]\nengine = "barman"\n')
    assert home.error("backup", "list")[:2] == (2, "config")

    (home.root / "pgkeel.toml").write_text('[backup]\nengine = "barman"\nengine_server = "main"\nengine_command = "nowhere"\n')
    code, name, message = home.error("backup", "list")
    assert (code, name) == (5, "tool_failed")
    assert "engine_command" in message
