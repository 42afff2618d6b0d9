"""A recovery begins a timeline that nobody has begun before."""

from pathlib import Path

from pgkeel.backup import Folder
from pgkeel.backup.places import history_key
from pgkeel.backup.recovery.gather import Archive
from pgkeel.backup.recovery.timelines import hold_timelines, newest_timeline
from pgkeel.core.secret import Secret


def archive_of(repository: Folder, received: Path) -> Archive:
    return Archive([repository], Secret("unused"), folders=(received, received / "gone"))


def test_timelines_are_known_from_what_was_received_and_from_histories_that_only_the_repository_has(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "000000020000000000000003.partial").touch()
    (tmp_path / "undone").mkdir()
    folder.put(history_key("777", 3), b"1\t0/2000000\tbefore\n")

    assert newest_timeline((), archive_of(folder, tmp_path), "777") == 3
    assert newest_timeline((), archive_of(folder, tmp_path), "778") == 2


def test_the_server_finds_a_history_of_each_timeline_after_the_target_and_of_no_other(tmp_path: Path) -> None:
    hold_timelines(tmp_path / "wal", 2, 4)
    hold_timelines(tmp_path / "wal", 2, 2)

    assert sorted(path.name for path in (tmp_path / "wal").iterdir()) == ["00000003.history", "00000004.history"]
