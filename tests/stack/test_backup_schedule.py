"""What the agent does for backups by itself, and how one sees that it did not."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgkeel.agent import JobStatus, ServiceStatus, Status
from pgkeel.agent.schedule import read_schedules
from pgkeel.backup import Record
from pgkeel.backup.synchrony import compose
from pgkeel.core.project import load
from pgkeel.core.secret import Secret
from pgkeel.security.keys import LocalProvider, provider_from
from pgkeel.stack.backup_health import backup_warnings, receives, works
from pgkeel.stack.backup_jobs import SCHEDULES, _prudent
from pgkeel.stack.backups import escrowed_keys
from pgkeel.stack.drill_jobs import turn_of

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_full_backup_is_due_every_day_and_an_incremental_one_every_hour() -> None:
    schedules = read_schedules(SCHEDULES, {}, "UTC")

    for name, every in (("backup_full", timedelta(days=1)), ("backup_incremental", timedelta(hours=1))):
        first = schedules[name].following(NOW)
        assert schedules[name].following(first) - first == every


@pytest.mark.parametrize(
    ("job", "warning"),
    [
        (JobStatus("backup_full", "", False, last_outcome="ok", last_due=NOW - timedelta(hours=10)), None),
        (JobStatus("backup_full", "", False, last_outcome="ok", last_due=NOW - timedelta(hours=30)), "not been completed since"),
        (JobStatus("backup_full", "", False, last_outcome="failed", last_error="disk full"), "backup_full failed: disk full"),
        (JobStatus("backup_incremental", "", False, last_due=NOW - timedelta(hours=3)), "not been completed since"),
        (JobStatus("health", "", False, last_outcome="failed", last_error="no"), None),
    ],
)
def test_a_run_that_failed_or_was_missed_is_a_warning(job: JobStatus, warning: str | None) -> None:
    found = backup_warnings(Status(running=True, leader=True, jobs=(job,)), NOW)

    assert bool(found) is (warning is not None)
    assert warning is None or warning in found[0]


def test_missing_wal_is_a_warning_as_long_as_the_newest_run_finds_it() -> None:
    gone = JobStatus("backup_incremental", "", False, last_finished=NOW, last_result={"gap": "from 0/1 to 0/2 on timeline 1"})
    later = JobStatus("backup_full", "", False, last_finished=NOW + timedelta(hours=1), last_result={"backup": "a"})

    (warning,) = backup_warnings(Status(running=True, leader=True, jobs=(gone,)), NOW)

    assert warning.startswith("WAL is missing from 0/1 to 0/2 on timeline 1: no moment in there can be restored")
    assert backup_warnings(Status(running=True, leader=True, jobs=(gone, later)), NOW) == ()


UNOPENED = {"evaluated": False, "because": "nothing here opens the backups", "verified_at": None}


@pytest.mark.parametrize(
    ("job", "warning"),
    [
        (JobStatus("drill", "", False, last_outcome="ok", last_result={"backup": "a"}), None),
        (JobStatus("drill", "", False, last_outcome="failed", last_error="backup a: rows"), "no verified backup: drill failed"),
        (JobStatus("drill", "", False, last_outcome="ok", last_result=UNOPENED), "no verified backup: drill was not evaluated"),
        (
            JobStatus("drill", "", False, last_result={**UNOPENED, "verified_at": (NOW - timedelta(hours=27)).isoformat()}),
            "no verified backup since 2026-01-01T09:00:00+00:00",
        ),
        (JobStatus("drill", "", False, last_result={**UNOPENED, "verified_at": (NOW - timedelta(hours=9)).isoformat()}), None),
        (
            JobStatus("drill", "", False, last_outcome="ok", last_due=NOW - timedelta(hours=51)),
            "no verified backup: drill has not",
        ),
    ],
)
def test_no_verified_backup_stands_until_somebody_has_restored_one(job: JobStatus, warning: str | None) -> None:
    found = backup_warnings(Status(running=True, leader=True, jobs=(job,)), NOW)

    assert bool(found) is (warning is not None)
    assert warning is None or found[0].startswith(warning)


def test_drills_try_each_repository_in_turn(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text('[backup]\nrepositories = {local = "a", geo = "b"}\n')
    project = load(tmp_path)
    assert {turn_of(project, NOW), turn_of(project, NOW + timedelta(days=1))} == {"local", "geo"}
    assert turn_of(project, NOW) == turn_of(project, NOW + timedelta(days=2))
    (tmp_path / "pgkeel.toml").write_text("")
    assert turn_of(load(tmp_path), NOW) is None


def test_a_receiver_that_does_not_run_is_a_warning() -> None:
    stopped = Status(running=True, leader=True, services=(ServiceStatus("wal_receiver", False, 3, "connection refused"),))
    runs = Status(running=True, leader=True, services=(ServiceStatus("wal_receiver", True),))

    (warning,) = backup_warnings(stopped, NOW)
    assert warning.startswith("wal_receiver does not run: connection refused; put that right")
    assert (receives(stopped), receives(runs)) == (False, True)
    assert (works(stopped), works(runs)) == (False, True)


@pytest.mark.parametrize("name", ["wal_copier", "backup_copier", "wal_archiver"])
def test_a_copy_that_is_not_made_is_no_health_and_says_what_to_do(name: str) -> None:
    down = Status(running=True, leader=True, services=(ServiceStatus(name, False, 3, "repository geo: the disk is full"),))
    (warning,) = backup_warnings(down, NOW)

    assert works(down) is False
    assert warning.startswith(f"{name} does not run: repository geo: the disk is full; ")
    assert warning.endswith("put that right, and the agent starts it again by itself")
    assert ("nothing new reaches the geo copy" in warning) is name.endswith("copier")


def test_a_copy_that_is_tried_again_and_again_is_a_warning_until_it_works() -> None:
    tried = ServiceStatus("wal_copier", True, 3, "repository geo: nobody answers", recovering=True)
    again = Status(running=True, leader=True, services=(tried,))
    (warning,) = backup_warnings(again, NOW)

    assert works(again) is False
    assert warning.startswith("wal_copier is tried again: repository geo: nobody answers; until it does, nothing new reaches")
    recovered = Status(running=True, leader=True, services=(ServiceStatus("wal_copier", True, 3, "nobody answers"),))
    assert (works(recovered), backup_warnings(recovered, NOW)) == (True, ())


def test_a_copy_that_takes_its_time_is_a_warning_that_says_since_when() -> None:
    slow = Status(running=True, leader=True, services=(ServiceStatus("wal_copier", True, behind_since=NOW),))
    gone = Status(
        running=True, leader=True, services=(ServiceStatus("wal_copier", False, 3, "nobody answers", behind_since=NOW),)
    )

    assert (works(slow), works(gone)) == (False, False)
    assert backup_warnings(slow, NOW) == (
        "wal_copier is behind: it has come to no end since 2026-01-02 12:00:00Z; the repository is slow, or does not answer",
    )
    assert backup_warnings(gone, NOW)[0].startswith(
        "wal_copier does not run: nobody answers; nothing was shipped since 2026-01-02 12:00:00Z; until it does, nothing new"
    )


def test_commits_wait_for_everybody_that_somebody_wishes_to_wait_for() -> None:
    assert compose({}) == ""
    assert compose({"backup": ["pgkeel_wal"], "scaling": []}) == 'FIRST 1 ("pgkeel_wal")'
    assert compose({"backup": ["pgkeel_wal"], "scaling": ["one", "two"]}) == 'FIRST 3 ("pgkeel_wal", "one", "two")'


def test_nothing_grows_old_while_no_backup_is_taken_or_the_clock_is_ahead() -> None:
    newest = Record("b", "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", NOW, NOW, ())

    assert _prudent(NOW + timedelta(hours=3), [newest]) == NOW + timedelta(hours=3)
    assert _prudent(NOW + timedelta(days=365), [newest]) == NOW + timedelta(days=1)
    assert _prudent(NOW, []) == NOW


@pytest.mark.parametrize("reference", ["env:FIELD_KEY", "file:the.key"])
def test_the_key_of_encrypted_columns_is_carried_wherever_it_is_kept(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.urlsafe_b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("FIELD_KEY", key)
    (tmp_path / "the.key").write_text(key)
    (tmp_path / "the.key").chmod(0o600)
    (tmp_path / "pgkeel.toml").write_text(f'[security]\nkey = "{reference}"\n')

    carried = escrowed_keys(load(tmp_path))

    assert carried is not None
    assert LocalProvider(Secret(carried.decode())).name == provider_from(reference, tmp_path).name


def test_a_key_that_is_not_here_is_not_carried_and_stops_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIELD_KEY", raising=False)
    (tmp_path / "pgkeel.toml").write_text('[security]\nkey = "env:FIELD_KEY"\n')

    assert escrowed_keys(load(tmp_path)) is None
