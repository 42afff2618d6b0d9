"""The life of a stack: down, up again, reset, other settings, other places."""

import json
import os
import pwd
import shutil
from pathlib import Path

import pytest

from tests.conftest import RunAs
from tests.ports import own_port
from tests.projects import Home, new_home, remove_home


def test_what_never_ran_is_an_answer_and_not_an_error(home: Home) -> None:
    done = home.run("status", "--json")
    answer = json.loads(done.stdout)

    assert done.returncode == 1
    assert answer["ok"]
    assert not answer["data"]["postgres"]["running"]
    found = answer["data"]["migrations"]
    assert (found["known"], found["applied"], found["pending"]) == (False, None, None)
    assert found["files"] > 0
    assert not home.state.exists()


def test_down_keeps_the_data_and_the_ports_and_up_brings_them_back(home: Home) -> None:
    home.ok("up", env={"PGKEEL_LOCAL__PORT": str(own_port()), "PGKEEL_LOCAL__VALKEY_PORT": str(own_port())})
    before = home.data("status")
    home.ok("psql", "-c", "CREATE TABLE kept AS SELECT 42 AS answer")

    home.ok("down")
    stopped = home.run("status", "--json")
    home.ok("up")

    data = json.loads(stopped.stdout)["data"]
    assert stopped.returncode == 1
    assert data["postgres"] == {**before["postgres"], "running": False}
    assert data["valkey"] == {**before["valkey"], "running": False}
    assert data["agent"] == {"running": False, "leader": False}
    assert data["migrations"] == {**before["migrations"], "known": False, "applied": None, "pending": None}
    after = home.data("status")
    assert {part: after[part] for part in ("postgres", "valkey", "migrations")} == {
        part: before[part] for part in ("postgres", "valkey", "migrations")
    }
    assert home.ok("psql", "--role", "app", "-Atc", "SELECT answer FROM kept") == "42"


def test_down_where_nothing_ever_ran_changes_nothing(home: Home) -> None:
    home.ok("down")

    assert not home.state.exists()


def test_a_dry_run_of_up_writes_nothing(home: Home) -> None:
    steps = home.data("up", "--dry-run")["steps"]

    assert any("PostgreSQL" in step for step in steps)
    assert list(home.root.iterdir()) == []


def test_up_without_valkey_is_healthy_without_it(home: Home) -> None:
    home.ok("up", env={"PGKEEL_LOCAL__VALKEY": "false"})

    data = home.data("status", env={"PGKEEL_LOCAL__VALKEY": "false"})

    assert data["valkey"] == {"version": None, "port": None, "running": False}
    assert data["healthy"]


def test_a_long_path_with_spaces_and_signs_works_in_every_client(home: Home) -> None:
    deep = Home(home.root / ("a long name, with + and % and ünï " * 2) / ("d" * 60))
    deep.root.mkdir(parents=True)
    try:
        deep.ok("up")

        assert deep.ok("psql", "--role", "app", "-Atc", "SELECT 1") == "1"
        import psycopg

        psycopg.connect(deep.ok("url")).close()
    finally:
        remove_home(deep)


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs the servers as another account")
def test_below_a_closed_folder_the_servers_live_elsewhere_and_reset_finds_them(home: Home) -> None:
    closed = Home(home.root / "closed" / "project")
    closed.root.mkdir(parents=True)
    closed.root.parent.chmod(0o700)

    closed.ok("up")
    server = Path(json.loads((closed.state / "stack.json").read_text())["server"])
    works = closed.ok("psql", "--role", "app", "-Atc", "SELECT 1")
    folders = closed.data("reset", "--yes")["folders"]

    assert works == "1"
    assert server.parent == Path("/var/lib/pgkeel")
    assert folders == [str(server), str(closed.state)]
    assert not server.exists()
    assert not closed.state.exists()


def test_reset_without_a_terminal_and_without_yes_changes_nothing(home: Home) -> None:
    home.ok("up")

    code, _, said = home.error("reset")

    assert code == 4
    assert "--yes" in said
    assert home.ok("psql", "-Atc", "SELECT 1") == "1"


def test_reset_deletes_what_up_made_and_up_starts_afresh(home: Home) -> None:
    home.ok("up")
    socket = Path(home.data("status")["postgres"]["socket"])
    home.ok("psql", "-c", "CREATE TABLE gone ()")

    planned = home.data("reset", "--dry-run")
    home.ok("reset", "--yes")

    assert planned == {"folders": [str(home.state)], "deleted": False}
    assert {left.name for left in home.root.iterdir()} <= {".pgkeel-backup"}  # which only `--with-backups` deletes
    assert not socket.exists()
    home.ok("up")
    assert home.ok("psql", "-Atc", "SELECT to_regclass('gone') IS NULL") == "t"


def test_reset_follows_no_link(home: Home) -> None:
    home.ok("up")
    precious = home.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("still here")
    (home.state / "agent" / "link").symlink_to(precious)
    (home.state / "server" / "link").symlink_to(precious)

    home.ok("reset", "--yes")

    assert (precious / "file").read_text() == "still here"


@pytest.mark.parametrize("command", ["up", "reset --yes"])
def test_a_state_folder_that_is_a_link_is_refused_and_not_followed(home: Home, command: str) -> None:
    target = home.root / "target"
    target.mkdir()
    (target / "pgkeel-state").write_text("")
    (target / "file").write_text("still here")
    home.state.symlink_to(target)

    code, name, _ = home.error(*command.split())

    assert (code, name) == (4, "not_ours")
    assert (target / "file").read_text() == "still here"
    home.state.unlink()


@pytest.mark.parametrize("command", ["up", "reset --yes"])
def test_a_folder_without_our_marker_is_neither_used_nor_deleted(home: Home, command: str) -> None:
    home.state.mkdir()
    (home.state / "thesis.txt").write_text("still here")

    code, name, _ = home.error(*command.split())

    assert (code, name) == (4, "not_ours")
    assert [file.name for file in home.state.iterdir()] == ["thesis.txt"]
    shutil.rmtree(home.state)


def test_a_reset_that_was_killed_half_way_is_finished_by_the_next(home: Home) -> None:
    home.ok("up")
    home.ok("down")
    leaving = home.state.rename(home.state.with_name(".pgkeel.leaving"))
    shutil.rmtree(leaving / "server")

    home.ok("up")
    home.ok("reset", "--yes")

    assert {left.name for left in home.root.iterdir()} <= {".pgkeel-backup"}


def test_two_projects_run_side_by_side(home: Home) -> None:
    other = new_home()
    try:
        home.ok("up")
        other.ok("up")
        ports = [part["port"] for one in (home, other) for part in (one.data("status")["postgres"], one.data("status")["valkey"])]

        assert len(set(ports)) == 4
    finally:
        remove_home(other)


def test_the_superusers_lost_password_file_is_said_and_nothing_is_touched(home: Home) -> None:
    home.ok("up")
    file = home.state / "secrets" / "superuser.pgpass"
    kept = file.read_bytes()
    file.unlink()

    code, _, said = home.error("up")
    file.write_bytes(kept)

    assert code == 2
    assert "superuser.pgpass" in said
    home.ok("up")


def test_an_ordinary_user_runs_the_servers_as_himself(home: Home, run_as: RunAs) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(home.root, nobody.pw_uid, nobody.pw_gid)
    code = "from pgkeel.cli import main; main(['-C', {!r}, *{!r}])"

    up = run_as("nobody", code.format(str(home.root), ["up", "--json"]), PGKEEL_RUNTIME=str(home.root / "runtime"))
    asked = run_as("nobody", code.format(str(home.root), ["psql", "--role", "app", "-Atc", "SELECT 1"]))
    gone = run_as("nobody", code.format(str(home.root), ["reset", "--yes"]))

    assert up.returncode == 0, up.stderr + up.stdout
    assert json.loads(up.stdout)["data"]["account"] == "nobody"
    assert "nobody" in json.loads(up.stdout)["data"]["warnings"][0]
    assert asked.stdout.strip() == "1", asked.stderr
    assert gone.returncode == 0, gone.stderr
    assert not home.state.exists()
