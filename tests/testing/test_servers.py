import signal
import subprocess
import sys
from pathlib import Path

from pgkeel.testing.servers import scratch_folder
from tests.agent.conftest import until

SUITE = """
import sys, time
from pgkeel.local import choose_account, find_runtime
from pgkeel.testing.servers import scratch_cluster
account = choose_account()
with scratch_cluster(runtime=find_runtime("17", account=account), account=account) as cluster:
    print(cluster.plan.directory.parent, cluster.pid, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_left_is_ended_and_deleted_by_the_next() -> None:
    with subprocess.Popen([sys.executable, "-c", SUITE], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        folder, pid = run.stdout.readline().split()
        with scratch_folder() as other:
            assert Path(folder).is_dir(), "a living run was swept"
            assert other.is_dir()
        run.send_signal(signal.SIGKILL)

    until(lambda: is_swept(folder, pid))


def is_swept(folder: str, pid: str) -> bool:
    """Sweep, and return whether nothing is left; another worker of the tests may be sweeping the same at this moment."""
    with scratch_folder():
        return not Path(folder).exists() and not Path(f"/proc/{pid}/cwd").exists()
