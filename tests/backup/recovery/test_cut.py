"""A clock that jumps: PostgreSQL would end its recovery at the first commit that says a later time."""

from datetime import UTC, datetime, timedelta

from pgkeel.backup.recovery.cut import at_time
from pgkeel.backup.recovery.wal import Commit

START = datetime(2026, 11, 25, 12, tzinfo=UTC)


def commits(*seconds: int) -> list[Commit]:
    """Return transactions in the order of the WAL, by what the clock said when they were committed."""
    return [Commit(700 + number, 0x5000000 + number, START + timedelta(seconds=at)) for number, at in enumerate(seconds)]


def test_what_was_committed_after_a_clock_had_jumped_ahead_and_come_back_is_kept() -> None:
    written = commits(1, 3600, 2, 90)

    cut = at_time(written, 1, START + timedelta(seconds=60))

    assert (cut.kept, cut.left) == (written[2], written[3])
    assert "the clock jumped: xid 701" in cut.warnings[0]
    assert cut.settings(0)["recovery_target_lsn"] == "0/5000002", "a place, at which no clock can end it"


def test_a_clock_that_went_back_cuts_after_the_last_commit_that_says_an_earlier_time() -> None:
    written = commits(100, 200, 50, 300)
    assert at_time(written, 1, START + timedelta(seconds=150)).kept == written[2]
    assert at_time(written, 1, START + timedelta(seconds=250)).kept == written[2]
    assert at_time(written, 1, START + timedelta(seconds=10)).kept is None
