"""Clusters of a test's own, and programs run as another user."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, find_runtime
from pgkeel.testing.servers import FAST, scratch_folder

MakeCluster = Callable[..., Cluster]
RunAs = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the servers' account can reach."""
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def make_cluster(place: Path, runtime: Runtime, account: Account) -> Iterator[MakeCluster]:
    """Makes clusters that are gone after the test; quick unless the test says otherwise."""
    made: list[Cluster] = []

    def make(name: str = "one", major: str | None = None, **fields: Any) -> Cluster:
        given = {"superuser_password": Secret("ge:heim\\"), "settings": dict(FAST), "account": account, **fields}
        given.setdefault("runtime", find_runtime(major, account=account) if major else runtime)
        made.append(Cluster.create(place / name, **given))
        return made[-1]

    yield make
    for cluster in made:
        cluster.destroy()


@pytest.fixture
def run_as() -> RunAs:
    """Runs Python code as an ordinary user, with an environment that lacks everything."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")

    def run(user: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        entry = pwd.getpwnam(user)
        python = _reachable_python(entry.pw_uid)
        paths = [path for path in sys.path if path.endswith("site-packages")] + [str(Path(__file__).parents[2] / "src")]
        return subprocess.run(
            [python, "-c", code],
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def _reachable_python(uid: int) -> str:
    """Return an interpreter of this version that the user can execute; this one may lie in root's home."""
    minor = f"python3.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        try:
            subprocess.run([python, "-c", "import msgspec"], user=uid, cwd="/", check=False, capture_output=True)
        except OSError:
            continue
        return python
    pytest.skip(f"user {uid} can execute no {minor} here")
