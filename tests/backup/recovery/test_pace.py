import pytest

from pgkeel.backup.recovery.pace import Pace
from pgkeel.core import clock


def test_the_rate_and_the_time_left_are_said_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    at, heard = [100.0], list[str]()
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    pace = Pace("read", heard.append)

    for second, done in ((0.5, 10), (2.0, 200), (2.5, 220), (4.0, 400)):
        at[0] = 100.0 + second
        pace(done * 2**20, 1000 * 2**20)

    assert heard == ["  read 200MiB of 1000MiB, 100MiB/s, 8s left", "  read 400MiB of 1000MiB, 100MiB/s, 6s left"]
