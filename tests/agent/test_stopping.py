"""How the agent is told to end."""

import os
import signal
import threading

import pytest

from pgkeel.agent.stopping import Stopping


@pytest.mark.parametrize("before", [False, True])
def test_a_signal_ends_a_wait_and_every_one_after_it(*, before: bool) -> None:
    stopping = Stopping()
    heard = signal.signal(signal.SIGUSR1, lambda *_: stopping.set())
    try:
        if before:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        stopping.wait(500)
    finally:
        signal.signal(signal.SIGUSR1, heard)

    stopping.wait(500)
    assert stopping.is_set()


def test_a_wait_ends_by_itself() -> None:
    stopping = Stopping()

    stopping.wait(0.01)

    assert not stopping.is_set()
