"""Who works on a repository says so there, while it may err or go away."""

from datetime import timedelta

import pytest

from pgkeel.backup import Folder, RepositoryUnreachable
from pgkeel.backup.lease import LeaseLost, reading, working
from pgkeel.core import clock
from pgkeel.core.errors import LockNotObtained
from tests.agent.conftest import until

TERM = timedelta(milliseconds=900)


class Erring(Folder):
    """A repository that takes and gives objects, and errs when it is to delete one."""

    refusals = 0

    def delete(self, key: str) -> None:
        self.refusals += 1
        raise RepositoryUnreachable(f"{key}: SlowDown")


class Away(Folder):
    """A repository that may go away."""

    is_away = False

    def put(self, key: str, content: bytes | memoryview) -> bool:
        if self.is_away:
            raise RepositoryUnreachable("nobody answers")
        return super().put(key, content)


def test_a_lease_is_not_lost_because_old_ones_could_not_be_deleted(folder: Folder) -> None:
    erring = Erring("local", folder.root)

    with working(erring, "777", holder="one", term=TERM):
        until(lambda: erring.refusals > 3)
        with pytest.raises(LockNotObtained, match="one until"), working(folder, "777", holder="two"):
            pass

    clock.sleep(TERM)
    with working(folder, "777", holder="two"):
        pass


def test_who_reads_is_not_kept_from_it_because_old_leases_could_not_be_deleted(folder: Folder) -> None:
    erring = Erring("local", folder.root)
    with reading(erring, "777", holder="one", term=TERM):
        until(lambda: erring.refusals > 1)


def test_a_lease_that_somebody_took_over_is_said_at_the_end(folder: Folder) -> None:
    away = Away("local", folder.root)

    def work() -> None:
        with working(away, "777", holder="one", term=TERM):
            away.is_away = True
            clock.sleep(1.2 * TERM)
            with working(folder, "777", holder="two"):
                away.is_away = False
                clock.sleep(0.7 * TERM)

    with pytest.raises(LeaseLost):
        work()
