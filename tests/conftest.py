"""Real servers for every test: one of each wanted major a worker, one empty database a test."""

import contextlib
import fcntl
import itertools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis.internal.conjecture import providers

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, Runtime, choose_account, find_runtime
from pgkeel.testing.servers import FAST, scratch_cluster, scratch_folder
from tests.recycling import Stall

MEMORY, ROOM = Path("/dev/shm"), 8 << 30  # a file system in memory, and how many bytes of it must be free
DEFAULT_MAJOR = "17"
_numbers = itertools.count()
MakeCluster = Callable[..., Cluster]
RunAs = Callable[..., subprocess.CompletedProcess[str]]
Mypy = Callable[[str], str]


def _prefer_memory() -> None:
    """Let servers and files of tests lie in memory where there is room: to make thousands of files was half of their time."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    if "TMPDIR" not in os.environ and has_room and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None


_prefer_memory()
# Hypothesis tries the constants of whatever modules are loaded, and these differ with how the tests are shared out: no test may
# fail in one run and not in the next. `://` inside of a password was found so.
vars(providers).update(is_local_module_file=lambda _path: False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--majors", default=DEFAULT_MAJOR, help="PostgreSQL majors for the tests marked `majors`: 15,16,17,18")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `majors` run once a major; the others on the default."""
    if "major" in metafunc.fixturenames and metafunc.definition.get_closest_marker("majors"):
        metafunc.parametrize("major", metafunc.config.getoption("--majors").split(","), scope="session")


@pytest.fixture(scope="session")
def major() -> str:
    return DEFAULT_MAJOR


@pytest.fixture(scope="session")
def account() -> Account:
    """Who runs the servers."""
    return choose_account()


@pytest.fixture(scope="session")
def runtime(account: Account) -> Runtime:
    """The programs of the default major."""
    return find_runtime(DEFAULT_MAJOR, account=account)


@pytest.fixture(scope="session")
def cluster_of(account: Account) -> Iterator[Callable[[str], Cluster]]:
    """Gives the running cluster of a major; each is started once a worker, when it is first asked for."""
    running: dict[str, Cluster] = {}
    with contextlib.ExitStack() as until_the_end:

        def give(major: str) -> Cluster:
            if major not in running:
                runtime = find_runtime(major, account=account)
                running[major] = until_the_end.enter_context(scratch_cluster(runtime=runtime, account=account))
            return running[major]

        yield give


@pytest.fixture
def cluster(cluster_of: Callable[[str], Cluster], major: str) -> Cluster:
    """The running cluster of the test's major, shared by the worker's tests."""
    return cluster_of(major)


@pytest.fixture
def superuser(cluster: Cluster) -> Url:
    """The server's superuser, on the database `postgres`."""
    return cluster.superuser_url()


@pytest.fixture(scope="session")
def stall_of() -> Callable[[Cluster], Stall]:
    """Gives the empty databases of a cluster."""

    @cache
    def give(cluster: Cluster) -> Stall:
        def make() -> Url:
            name = f"t_{next(_numbers)}"
            cluster.create_database(name)
            return cluster.superuser_url(name)

        return Stall(make, lambda url: cluster.drop_database(url.database))

    return give


@pytest.fixture
def empty_db(cluster: Cluster, stall_of: Callable[[Cluster], Stall]) -> Iterator[Url]:
    """An empty database of its own for one test, as superuser."""
    stall = stall_of(cluster)
    url = stall.take()
    yield url
    stall.give_back(url)


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
        paths = [path for path in sys.path if path.endswith("site-packages")] + [str(Path(__file__).parents[1] / "src")]
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


@pytest.fixture
def mypy(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Mypy:
    """Gives what mypy says to a program; what it learnt of everything else for `make check` it knows already."""
    turn = tmp_path_factory.getbasetemp().parent / "mypy.lock"

    def judge(program: str) -> str:
        file = tmp_path / "program.py"
        file.write_text(program, encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
        with turn.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
        return done.stdout + done.stderr

    return judge
