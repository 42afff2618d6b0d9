from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from pgkeel.backup import Bucket, Folder, new_identity
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server that speaks S3 (moto's): versions, conditional puts; it checks no signatures."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of the test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    name = f"b{abs(hash(request.node.nodeid))}"
    urlopen(Request(f"{s3_endpoint}/{name}", method="PUT")).close()
    return Bucket("geo", bucket=name, prefix="keel", endpoint=s3_endpoint, region="us-east-1")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder("local", tmp_path / "repository")


@pytest.fixture(params=["folder", "s3_bucket"])
def repository(request: pytest.FixtureRequest) -> Repository:
    """Each kind of repository in turn."""
    made: Repository = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def identity() -> Secret:
    return new_identity()


@pytest.fixture
def replace() -> Callable[[Repository, str, bytes], None]:
    """Changes an object behind pgkeel's back."""

    def change(repository: Repository, key: str, content: bytes) -> None:
        repository.delete(key)
        assert repository.put(key, content)

    return change
