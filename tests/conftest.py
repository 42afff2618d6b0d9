"""Real servers for every test: one of each wanted major a worker, one empty database a test."""

import contextlib
import itertools
from collections.abc import Callable, Iterator

import pytest

from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, Runtime, choose_account, find_runtime
from pgkeel.testing.servers import scratch_cluster

DEFAULT_MAJOR = "17"
_numbers = itertools.count()


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


@pytest.fixture
def empty_db(cluster: Cluster) -> Iterator[Url]:
    """An empty database of its own for one test, as superuser."""
    name = f"t_{next(_numbers)}"
    cluster.create_database(name)
    yield cluster.superuser_url(name)
    cluster.drop_database(name)
