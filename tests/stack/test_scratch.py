"""The server of a rehearsal, and what is left of it."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files in which no other test (nor `tmp_path`, which is there already) makes anything."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o711)
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield place


@pytest.mark.faults
def test_a_rehearsal_that_is_killed_leaves_a_server_that_the_next_one_ends(temporary: Path, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        socket = Path(running.stdout.readline().strip())
        running.send_signal(signal.SIGKILL)
    (left,) = temporary.iterdir()
    assert (left.match("pgkeel-scratch-*"), socket.exists()) == (True, True)

    with rehearsal_of(load(tmp_path), major="17")() as url, connect(url) as connection:
        assert connection.execute("SELECT current_user AS me").fetchone() == {"me": "postgres"}
        assert (left.exists(), socket.exists()) == (False, False)

    assert list(temporary.iterdir()) == []
