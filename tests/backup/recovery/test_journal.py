from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from pgkeel.backup.recovery.journal import STEPS, Journal, read_journal, work_off, write_journal
from pgkeel.backup.recovery.resolve import Plan, Target
from pgkeel.backup.recovery.wish import Wish

AT = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    target = Target(1, 7, "0/5000028", AT)
    plan = Plan(target, {"recovery_target_lsn": "0/5000028"}, ("a",), "0/1", "0/2", 2**24, 1, 2, 3.0, timedelta(seconds=4))
    return Journal(
        id="x", plan=plan, wish=Wish(xid=7), system="1", directory=tmp_path, side=tmp_path / "s", undo=None, started_at=AT
    )


def test_a_recovery_that_was_cut_goes_on_with_the_step_that_was_cut(journal: Journal, tmp_path: Path) -> None:
    file, done = tmp_path / "recovery" / "journal.json", list[int]()

    def act(number: int, breaks: set[int], journal: Journal) -> Journal:
        if number in breaks:
            raise KeyboardInterrupt
        done.append(number)
        return journal

    for broken in ({2}, {4}):
        with pytest.raises(KeyboardInterrupt):
            work_off(file, read_journal(file) or journal, [partial(act, n, broken) for n in range(1, 6)], lambda _: None)
        left = read_journal(file)
        assert left is not None
        assert left.state == "open"
        assert left.steps[min(broken) - 1].state == "running"
    end = work_off(file, read_journal(file) or journal, [partial(act, n, set()) for n in range(1, 6)], lambda _: None)

    assert done == [1, 2, 3, 4, 5]
    assert (end.state, [step.name for step in end.steps]) == ("done", list(STEPS))
    assert end == read_journal(file)


def test_what_was_decided_comes_back_as_it_was_written(journal: Journal, tmp_path: Path) -> None:
    write_journal(tmp_path / "j.json", journal)
    assert read_journal(tmp_path / "j.json") == journal
    assert read_journal(tmp_path / "none.json") is None
