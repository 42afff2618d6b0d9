"""A clear value that can be told from every other one is nowhere afterwards: on no disk, in no copy, no log, no cache."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import Home, backups_at_start, new_home, remove_home
from tests.stack.canary import found_in, places, plant


@pytest.fixture
def protected() -> Iterator[Home]:
    """A stack whose agent receives WAL, with a repository."""
    made = new_home(backups_at_start())
    (made.root / "pgkeel.toml").write_text('[backup]\nrepositories = {local = "backups"}\n')
    made.ok("up")
    yield made
    remove_home(made)


@pytest.mark.long
def test_no_value_written_after_the_switch_is_clear_in_any_file_log_dump_cache_audit_row_or_backup(
    protected: Home, tmp_path: Path
) -> None:
    canaries = plant(protected)
    full = protected.data("backup", "full", "--yes")["id"]
    protected.data("backup", "export", "--yes", full, str(tmp_path / "backup.tar"))

    found = found_in(places(protected, tmp_path), [*canaries.sealed, canaries.personal, canaries.secret])

    assert {kind for kind, needles in found.items() if canaries.personal in needles} == {"data", "wal", "dump", "backup", "cache"}
    assert found.keys() == {"data", "wal", "dump", "backup", "cache", "log", "audit"}
    assert [kind for kind, needles in found.items() if needles & set(canaries.sealed)] == []
    assert found["log"] == found["audit"] == set()
