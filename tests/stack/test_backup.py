"""Backups as a newcomer takes them: `up`, and the agent's receiver and jobs beside the commands."""

import functools
import json
import os
import resource
import shutil
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pgkeel.agent.context import Context
from pgkeel.agent.jobs import Result
from pgkeel.backup import Folder, Record, write_record
from pgkeel.core.clock import SystemClock
from pgkeel.core.project import load
from pgkeel.local import choose_account
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import WrappedKey
from pgkeel.stack import connect
from pgkeel.stack.backup_jobs import backup_jobs
from pgkeel.stack.holders import holders
from pgkeel.stack.protection import ensure_protection
from pgkeel.testing.servers import scratch_folder
from tests.projects import Home, backups_at_start, new_home, remove_home

RECORD = {"id", "kind", "parent", "started_at", "finished_at", "bytes", "timeline", "start_lsn", "end_lsn"}


def backed_up() -> Iterator[Home]:
    """A stack with a backup and a copy of its repository elsewhere, in which commits wait for the receiver."""
    made = new_home(backups_at_start())
    (made.root / "pgkeel.toml").write_text(
        '[backup]\nrpo = "zero"\nrepositories = {local = "backups", geo = "elsewhere"}\n[local]\nvalkey = false\n'
    )
    made.ok("up")
    made.ok("backup", "full", "--yes")
    eventually(lambda: outcome_of(made, "backup_full") == "ok")  # the agent's own, which it tries again when ours was in its way
    yield made
    remove_home(made)


stack = pytest.fixture(backed_up, scope="module", name="stack")
doomed = pytest.fixture(backed_up, name="doomed")  # for who ends it


def eventually(condition: Callable[[], Any], *, seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.2)
    return found


def outcome_of(home: Home, job: str) -> str | None:
    jobs = json.loads(home.run("agent", "status", "--json").stdout)["data"]["jobs"]
    return next((one["last_outcome"] for one in jobs if one["name"] == job), None)


def names(home: Home) -> str:
    with connect(load(home.root), "superuser") as connection:
        row = connection.execute("SHOW synchronous_standby_names").fetchone()
    assert row is not None
    return str(row["synchronous_standby_names"])


def test_full_incremental_and_list_work_right_after_up(stack: Home) -> None:
    full = stack.data("backup", "full", "--yes")
    incremental = stack.data("backup", "incremental", "--yes")
    listed = stack.data("backup", "list")

    assert set(full) == {*RECORD, "repositories"}
    assert (full["kind"], full["parent"]) == ("full", None)
    assert (incremental["kind"], incremental["parent"]) == ("incremental", full["id"])
    assert full["repositories"] == [{"name": "local", "state": "stored"}, {"name": "geo", "state": "stored"}]
    assert set(listed["backups"][-1]) == {*RECORD, "verified_at", "kept", "expires_at"}
    assert [one["id"] for one in listed["backups"]][-2:] == [full["id"], incremental["id"]]
    assert listed["gaps"] == []
    assert {"from", "to", "timeline"} == set(listed["restorable"][0])
    assert stack.data("backup", "verify")["damaged"] == []
    assert stack.data("backup", "show", full["id"])["server_version"].startswith("17.")


def test_the_wal_reaches_the_repository_and_its_copy(stack: Home) -> None:
    with connect(load(stack.root), "backup") as connection:
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal() - 1) AS name").fetchone()
    assert row is not None

    for place in ("backups", "elsewhere"):
        eventually(functools.partial(archived, stack.root / place, str(row["name"])))


def archived(repository: Path, segment: str) -> bool:
    return any(repository.rglob(f"{segment}.json"))


def test_commits_wait_for_the_receiver_until_it_is_released_and_again_when_it_streams(stack: Home) -> None:
    eventually(lambda: "pgkeel_wal" in names(stack))
    assert stack.data("backup", "wal", "release", "--dry-run")["released"]

    assert stack.data("backup", "wal", "release", "--yes") == {"released": True, "dry_run": False}
    assert names(stack) == ""
    receiver = [pid for pid in children() if str(stack.root) in pid[1]]
    assert receiver
    os.kill(receiver[0][0], signal.SIGKILL)
    eventually(lambda: "pgkeel_wal" in names(stack))
    done = stack.run("status", "--json")
    now = json.loads(done.stdout)["data"]
    assert (done.returncode, now["healthy"]) == (1, False), "a copy on the disk of the data is none"
    assert any("repository geo lies on the disk of the data" in warning for warning in now["warnings"])


@pytest.mark.faults
def test_commits_that_wait_for_a_receiver_that_is_gone_are_seen_although_the_agent_says_nothing(stack: Home) -> None:
    eventually(lambda: "pgkeel_wal" in names(stack))
    ((receiver, _),) = [pid for pid in children() if str(stack.root) in pid[1]]
    worker = int(Path(f"/proc/{receiver}/stat").read_text().rpartition(") ")[2].split()[1])
    os.kill(worker, signal.SIGSTOP)
    try:
        os.kill(receiver, signal.SIGKILL)
        eventually(lambda: any("commits wait for the WAL receiver" in one for one in warnings(stack)))
    finally:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: not any("commits wait" in one for one in warnings(stack)))


def warnings(stack: Home) -> list[str]:
    told: list[str] = json.loads(stack.run("status", "--json").stdout)["data"]["warnings"]
    return told


def children() -> list[tuple[int, str]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                text = (entry / "cmdline").read_text(errors="replace")
                if "pg_receivewal" in text.split("\0")[0]:
                    found.append((int(entry.name), text))
    return found


def test_nothing_is_pruned_without_a_word_and_a_kept_backup_never(stack: Home) -> None:
    first = stack.data("backup", "list")["backups"][0]["id"]
    for _ in range(3):
        stack.data("backup", "full", "--yes")
    window = {"PGKEEL_BACKUP__WINDOW": "0s", "PGKEEL_BACKUP__MINIMUM": "1"}
    assert stack.data("backup", "keep", "--yes", first) == {"id": first, "kept": True, "dry_run": False}

    planned = stack.data("backup", "prune", "--dry-run", env=window)
    done = stack.run("backup", "prune", "--json", env=window)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (4, "refused")
    assert first not in planned["backups"]
    assert planned["backups"]
    assert len(planned["backups"]) == len(set(planned["backups"])), "a backup lies in both repositories"
    gone = stack.data("backup", "prune", "--yes", env=window)["backups"]
    left = [one["id"] for one in stack.data("backup", "list")["backups"]]
    assert first in left
    assert not set(gone) & set(left)


def test_what_another_project_keeps_in_the_same_repository_is_not_pruned(stack: Home) -> None:
    places = [Folder(name, stack.root / name) for name in ("backups", "elsewhere")]
    at = datetime(2020, 1, 1, tzinfo=UTC)
    others = [
        Record(f"2020010{day}T020000Z-full", "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", at, at, ())
        for day in (1, 2, 3)
    ]
    for place in places:
        for one in others:
            write_record(place, one)

    planned = stack.data("backup", "prune", "--dry-run", env={"PGKEEL_BACKUP__WINDOW": "0s", "PGKEEL_BACKUP__MINIMUM": "1"})
    run_now(stack, "backup_prune")

    left = [one for one in stack.data("backup", "list")["backups"] if one["id"].startswith("2020")]
    for place in places:
        for one in others:
            place.delete(f"{one.folder}/backup.json")
    assert not [name for name in planned["backups"] if name.startswith("2020")]
    assert len(left) == len(others)


def test_another_clusters_backup_of_the_same_second_hides_none_of_ours(stack: Home) -> None:
    place = Folder("local", stack.root / "backups")
    full = stack.data("backup", "full", "--yes")
    others = [
        Record(full["id"], "full", None, system, "17.11", 1, "0/2000028", "0/2000120", at, at, ())
        for system, at in (("1", datetime(2020, 1, 1, tzinfo=UTC)), ("2", datetime.now(UTC)))
    ]
    for other in others:
        write_record(place, other)

    shown = stack.data("backup", "show", full["id"])
    planned = stack.data("backup", "drill", "--dry-run")
    named = stack.data("backup", "show", others[0].folder)

    for other in others:
        place.delete(f"{other.folder}/backup.json")
    assert shown["start_lsn"] == full["start_lsn"]
    assert planned == {"backup": full["id"]}
    assert named["start_lsn"] == "0/2000028"


def test_without_a_terminal_and_without_yes_a_verb_that_writes_changes_nothing(stack: Home) -> None:
    before = stack.data("backup", "list")["backups"]
    last, target = before[-1]["id"], stack.root / "unasked.tar"

    for verb in (
        *("backup full", "backup incremental", f"backup keep {last}", f"backup export {last} {target}", "backup drill"),
        *("backup wal release", "backup verify --locks", "recover beside --end"),
    ):
        refusal = (4, "refused", "nothing was done: there is no terminal add --yes")
        assert stack.error(*verb.split()) == refusal, verb

    assert stack.data("backup", "list")["backups"] == before
    assert not target.exists()
    assert stack.data("backup", "drill", "--list") == []


@pytest.mark.parametrize("verb", ["backup list", "backup verify --locks", "recover status"])
def test_a_verb_that_only_reads_takes_what_every_verb_takes(stack: Home, verb: str) -> None:
    stack.data(*verb.split(), "--dry-run", "--yes")


def test_a_backup_is_exported_as_a_plain_tar_and_never_over_a_file(stack: Home) -> None:
    last = stack.data("backup", "list")["backups"][-1]["id"]
    target = stack.root / "plain.tar"

    stack.data("backup", "export", "--yes", last, str(target))

    assert b"backup_label" in target.read_bytes()[:2000]
    assert stack.error("backup", "export", "--yes", last, str(target))[:2] == (4, "refused")
    assert stack.error("backup", "export", "--yes", "nothing", str(stack.root / "other"))[:2] == (2, "not_found")
    assert stack.error("backup", "export", "--yes", last, str(stack.root / "nowhere/plain.tar"))[:2] == (2, "usage")
    assert stack.error("recover", "rows", "--table", "posts", "--at", "now", "--sql", "/nowhere/back.sql")[:2] == (2, "usage")
    assert stack.error("backup", "list", "--repository", "") == (2, "not_found", "there is no repository '' one of local, geo")


@pytest.mark.faults
def test_an_export_that_finds_no_room_leaves_nothing(stack: Home) -> None:
    last = stack.data("backup", "list")["backups"][-1]["id"]

    def smaller() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    full = stack.run("backup", "export", "--yes", "--json", last, str(stack.root / "other.tar"), limit=smaller)

    assert (full.returncode, json.loads(full.stdout)["error"]["code"]) == (5, "export_failed")
    assert not list(stack.root.glob("*other.tar*"))


def test_a_folder_that_is_gone_is_no_empty_repository_and_nothing_is_put_in_its_place(stack: Home) -> None:
    last = stack.data("backup", "list")["backups"][-1]["id"]
    away = (stack.root / "elsewhere").rename(stack.root / "away")

    said = stack.error("backup", "list", "--repository", "geo")
    verified = stack.error("backup", "verify")
    states = {one["name"]: one["state"] for one in stack.data("backup", "show", last)["repositories"]}
    taken = stack.data("backup", "full", "--yes")["repositories"]

    assert (said[:2], verified[:2]) == ((3, "repository_unreachable"), (3, "repository_unreachable"))
    assert "mount it" in said[2]
    assert states == {"local": "stored", "geo": "unreachable"}
    assert taken == [{"name": "local", "state": "stored"}, {"name": "geo", "state": "waiting"}]
    assert not (stack.root / "elsewhere").exists()
    away.rename(stack.root / "elsewhere")
    eventually(lambda: stack.run("agent", "status").returncode == 0)


def test_a_tablespace_is_exported_as_a_tar_of_its_own(stack: Home) -> None:
    account = choose_account()
    with scratch_folder() as place, connect(load(stack.root), "superuser") as connection:
        shutil.chown(place, account.uid, account.gid)
        connection.execute(f"CREATE TABLESPACE apart LOCATION '{place}'".encode())
        connection.execute("CREATE TABLE far TABLESPACE apart AS SELECT 1 AS n")
        place_of = connection.execute("SELECT pg_relation_filepath('far') AS path").fetchone()
        taken = stack.data("backup", "full", "--yes")["id"]
        connection.execute("DROP TABLE far")
        connection.execute("DROP TABLESPACE apart")

    stack.data("backup", "export", "--yes", taken, str(stack.root / "both.tar"))

    assert place_of is not None
    _, oid, inner = place_of["path"].split("/", 2)
    with tarfile.open(stack.root / f"both.{oid}.tar") as tablespace:
        assert inner in tablespace.getnames()
    with tarfile.open(stack.root / "both.tar") as base:
        assert base.getnames()[0] == "backup_manifest"


@pytest.mark.faults
def test_a_damaged_object_is_found_and_exits_1(stack: Home) -> None:
    victim = max((stack.root / "elsewhere").rglob("base.00000"))
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    done = stack.run("backup", "verify", "--json")

    damaged = json.loads(done.stdout)["data"]["damaged"]
    assert done.returncode == 1
    assert [fault["reason"] for fault in damaged] == ["its SHA-256 is another"]
    assert damaged[0]["object"].startswith("geo:")
    victim.write_bytes(content)
    eventually(lambda: stack.run("agent", "status").returncode == 0)  # the copier may have met what was damaged


@pytest.mark.faults
def test_missing_wal_is_told_by_the_hourly_run_which_takes_a_full_backup(stack: Home) -> None:
    repository = stack.root / "backups"
    segments = [closed_segment(stack, number) for number in range(3)]
    for segment in segments:
        eventually(functools.partial(archived, repository, segment))
    lost = [path for path in repository.rglob(f"{segments[1]}.*") if path.is_file()]
    for path in lost:
        path.rename(stack.root / path.name)
    done = run_now(stack, "backup_incremental")
    verified = stack.run("backup", "verify", "--repository", "local", "--json")

    for path in lost:
        (stack.root / path.name).rename(path)
    assert lost
    assert str(done["backup"]).endswith("-full")
    (missing,) = json.loads(verified.stdout)["data"]["damaged"]
    assert verified.returncode == 1
    assert missing["object"].endswith(segments[1])
    assert f"from 0/{lsn_of(segments[1])} to" in missing["reason"]
    assert done["gap"] == f"from 0/{lsn_of(segments[1])} to 0/{lsn_of(segments[2])} on timeline 1"


def run_now(stack: Home, name: str) -> Result:
    """Run a job of the agent's here, due now."""
    project = load(stack.root)
    job = next(one for one in backup_jobs(project) if one.name == name)
    return job.run(
        Context(
            lambda role: connect(project, role),
            job=job.name,
            role=job.role,
            due=datetime.now(UTC),
            agent="test",
            clock=SystemClock(),
            settings=project.config.agent,
        )
    )


def closed_segment(stack: Home, number: int) -> str:
    with connect(load(stack.root), "superuser") as connection:
        connection.execute(f"CREATE TABLE closed_{number} ()".encode())
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal() - 1) AS name").fetchone()
    assert row is not None
    return str(row["name"])


def lsn_of(segment: str) -> str:
    return f"{int(segment[-2:], 16) << 24:X}"


@pytest.mark.faults
def test_everything_that_is_killed_comes_back_without_a_gap(stack: Home) -> None:
    agent = stack.data("agent", "status")["pid"]
    os.kill(agent, signal.SIGKILL)
    eventually(lambda: not [one for one in children() if str(stack.root) in one[1]])
    with connect(load(stack.root), "superuser") as connection:  # on which `up` grants rights while nobody receives
        connection.execute("CREATE TABLE made_meanwhile ()")

    stack.ok("up")
    with connect(load(stack.root), "backup") as connection:
        connection.execute("SELECT pg_switch_wal()")

    eventually(lambda: "pgkeel_wal" in names(stack))
    assert stack.data("backup", "list")["gaps"] == []


def test_a_key_is_kept_as_long_as_a_backup_may_need_it(stack: Home) -> None:
    at_once = {"PGKEEL_SECURITY__KEY_REFRESH": "0s"}
    full = stack.data("backup", "full", "--yes")["id"]
    for step in ("add", "activate 2", "retire 1"):
        stack.data("security", "keys", *step.split(), env=at_once)
    done = stack.run("security", "keys", "destroy", "1", "--json", env=at_once)
    error = json.loads(done.stdout)["error"]

    assert (done.returncode, error["code"]) == (4, "key_in_use")
    assert {f"backup {full} in {name}" for name in ("local", "geo")} <= set(error["data"]["used_by"])


def test_backups_from_before_a_scrub_are_among_what_remains(stack: Home) -> None:
    project, field = load(stack.root), EncryptedField(("users",), "username", "id")
    full, ever = stack.data("backup", "list")["backups"][0]["id"], datetime.min.replace(tzinfo=UTC)
    stack.data("backup", "keep", "--yes", full)
    with holders(project, "test") as (_, keepers):
        before = [place for keeper in keepers for place in keeper.copies_of(field, None) if place.kind == "backup"]
        later = [place for keeper in keepers for place in keeper.copies_of(field, ever)]
        needed = [name for keeper in keepers for name in keeper.holding(WrappedKey(7, "retired", "", b"", ever))]
    stack.data("backup", "keep", "--yes", full, "--release")
    found = {place.where: place.until for place in before}

    assert found[f"backup {full} in local"] == f"`pgkeel backup keep {full} --release`"
    assert found.keys() >= {f"backup {full} in geo"}
    assert (later, needed) == ([], [])


def test_down_lets_commits_go_and_reset_keeps_the_backups(doomed: Home) -> None:
    key = (doomed.state / "secrets/fields.key").read_bytes()
    doomed.ok("down")
    doomed.ok("reset", "--yes")

    assert [file.read_bytes() for file in (doomed.root / ".pgkeel-backup/keys").iterdir()] == [key]
    assert list((doomed.root / "backups").rglob("backup.json"))
    assert (doomed.root / ".pgkeel-backup/identity").exists()
    assert doomed.data("backup", "list")["backups"]
    doomed.ok("reset", "--with-backups", "--yes")
    assert not (doomed.root / ".pgkeel-backup/identity").exists()
    assert not (doomed.root / ".pgkeel-backup/keys").exists()
    assert doomed.data("backup", "list")["backups"], "those that lie elsewhere stay"


@pytest.fixture
def quiet() -> Iterator[Home]:
    """A project whose agent takes its backups at its start only."""
    made = new_home(backups_at_start())
    yield made
    remove_home(made)


def test_what_was_encrypted_opens_after_a_reset_though_no_backup_carries_the_key(quiet: Home) -> None:
    home = quiet
    (home.root / "pgkeel.toml").write_text("[local]\nvalkey = false\n[backup]\nescrow_keys = false\n")
    home.ok("up")
    key = (home.state / "secrets/fields.key").read_bytes()
    home.ok("backup", "full", "--yes")
    assert home.data("backup", "verify")["damaged"] == []
    home.ok("reset", "--yes")

    home.ok("recover", "--yes")

    assert (home.state / "secrets/fields.key").read_bytes() == key
    assert [one["state"] for one in home.data("security", "keys", "status")["keys"]] == ["active"]


def test_a_repository_that_does_not_answer_keeps_no_other_from_being_read(home: Home) -> None:
    geo = "s3://somewhere/keel?endpoint=http://127.0.0.1:1"
    (home.root / "pgkeel.toml").write_text(f'[backup]\nrepositories = {{geo = "{geo}", local = "backups"}}\n')
    stray = home.root / "backups" / "777" / "20260101T000000Z-full" / "backup.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("no record")

    done = home.run("backup", "verify", "--json", env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (3, "repository_unreachable")
    assert error["message"] == "repository geo: listing: nobody answers at http://127.0.0.1:1"
    assert [one["object"] for one in error["data"]["damaged"]] == ["local:777/20260101T000000Z-full/backup.json"]


def test_an_identity_that_is_gone_is_not_replaced_without_a_word(home: Home) -> None:
    project, heard = load(home.root), list[str]()
    ensure_protection(project, heard.append)
    assert not [line for line in heard if "the identity was gone" in line]

    (home.root / ".pgkeel-backup/wal").mkdir()
    (home.root / ".pgkeel-backup/identity").unlink()
    ensure_protection(project, heard.append)

    assert [line for line in heard if "opens only with the old one" in line]
