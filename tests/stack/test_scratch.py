"""The server of a rehearsal, and what is left of it."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pgkeel.core.project import load
from pgkeel.postgres import connect
from pgkeel.stack.scratch import rehearsal_of

HOLDING = """
import sys, time
from pathlib import Path
from pgkeel.core.project import load
from pgkeel.stack.scratch import rehearsal_of
with rehearsal_of(load(Path(sys.argv[1])), major="17")() as url:
    print(url.host, flush=True)
    time.sleep(600)
"""


def servers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("pgkeel-scratch-*"))


@pytest.mark.faults
def test_a_rehearsal_that_is_killed_leaves_a_server_that_the_next_one_ends(tmp_path: Path) -> None:
    before = servers()
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        socket = Path(running.stdout.readline().strip())
        running.send_signal(signal.SIGKILL)
    left = servers() - before
    assert (len(left), socket.exists()) == (1, True)

    with rehearsal_of(load(tmp_path), major="17")() as url, connect(url) as connection:
        assert connection.execute("SELECT current_user AS me").fetchone() == {"me": "postgres"}
        assert (servers() & left, socket.exists()) == (set(), False)

    assert servers() - before == set()
