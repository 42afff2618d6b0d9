"""What is locked in a bucket is not deleted, and requests of our own are signed as a server that checks it wants them."""

import base64
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO
from urllib.request import Request, urlopen

import pytest

from pgkeel.backup import Bucket, Record, RepositoryUnreachable, read_catalogue, recipient_of, seal, write_record
from pgkeel.backup.object_lock import LockVerdict, locked_until
from pgkeel.backup.retention import Policy, plan_prune, prune
from pgkeel.backup.signing import Bucketside
from pgkeel.core.secret import Secret
from tests.backup.proxy import FaultProxy
from tests.ports import own_port

OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def locking(s3_endpoint: str, s3_bucket: Bucket, request: pytest.FixtureRequest) -> Bucket:
    """A bucket with object lock."""
    name = f"l{abs(hash(request.node.nodeid))}"
    asked = Request(f"{s3_endpoint}/{name}", method="PUT", headers={"x-amz-bucket-object-lock-enabled": "true"})
    urlopen(asked).close()
    return Bucket("geo", bucket=name, prefix="keel", endpoint=s3_endpoint, region="us-east-1")


def lock(bucket: Bucket, key: str) -> None:
    """Let an object be locked for a day, as a default retention of the bucket does."""
    content = bucket.get(key)
    assert content is not None
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    headers = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": until, "content-md5": digest}
    assert bucket._side.ask("PUT", f"keel/{key}", headers=headers, body=content).status == 200


def test_a_bucket_that_locks_refuses_to_delete_the_probe(locking: Bucket) -> None:
    found = locking.probe_lock()

    assert found == LockVerdict(True, "deleting a locked version is refused: AccessDenied")


def test_a_bucket_without_lock_or_versions_does_not_hold(s3_bucket: Bucket) -> None:
    assert not s3_bucket.probe_lock().holds


@pytest.mark.faults
def test_a_server_that_deletes_what_is_locked_is_found_out(locking: Bucket, s3_endpoint: str) -> None:
    liar = FaultProxy(s3_endpoint)
    liar.faults = [("DELETE", 204, b"")]
    side = locking._side
    bucket = Bucket("geo", bucket=side.bucket, prefix="keel", endpoint=liar.url, region="us-east-1")
    try:
        found = bucket.probe_lock()
    finally:
        liar.close()

    assert found == LockVerdict(False, "it deleted a version that was locked (answer 204)")


def test_a_locked_backup_is_not_yet_due_and_stays_whole(locking: Bucket, identity: Secret) -> None:
    records = [stored(locking, identity, f"2026010{day}T000000Z-full", OLD + timedelta(days=day)) for day in (1, 2, 3)]
    lock(locking, f"{records[0].folder}/backup.json")
    policy = Policy(timedelta(days=1), 1)

    plan = plan_prune(locking, policy, now=OLD + timedelta(days=30))
    done = prune(locking, plan, holder="test")

    assert [record.id for record in plan.backups] == [records[0].id, records[1].id]
    assert done.backups == (records[1].id,)
    assert done.locked == (f"{records[0].folder}/backup.json",)
    assert {record.id for record in read_catalogue(locking).records} == {records[0].id, records[2].id}
    assert locking.get(records[0].parts[0].key) is not None


def stored(bucket: Bucket, identity: Secret, name: str, at: datetime) -> Record:
    def write(sink: IO[bytes]) -> None:
        sink.write(name.encode())

    key, recipients = f"777/{name}/base", [recipient_of(identity)]
    parts = seal(write, key=key, repositories=[bucket], recipients=recipients)
    record = Record(name, "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", at, at, parts)
    write_record(bucket, record)
    return record


@pytest.fixture(scope="module")
def checking_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that checks signatures (nanio's); it knows neither versions nor locks."""
    port = own_port()
    folder = tmp_path_factory.mktemp("nanio")
    argv = [sys.executable, "-m", "nanio.cli", "serve", "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    keys = {"NANIO_ACCESS_KEY": "known", "NANIO_SECRET_KEY": "right", "NANIO_LOG_LEVEL": "error"}
    server = subprocess.Popen(argv, env={**os.environ, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def checked(checking_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "known")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "right")
    Bucketside(checking_endpoint, "backups", "us-east-1").ask("PUT")
    return Bucket("geo", bucket="backups", prefix="keel", endpoint=checking_endpoint, region="us-east-1", patience=timedelta())


def test_a_server_that_checks_signatures_takes_and_gives_objects(checked: Bucket) -> None:
    assert checked.put("777/a/base.00000", b"content")

    assert checked.get("777/a/base.00000") == b"content"
    assert [one.key for one in checked.list("777")] == ["777/a/base.00000"]


def test_our_own_requests_are_signed_as_it_wants_them(checked: Bucket, checking_endpoint: str) -> None:
    side = Bucketside(checking_endpoint, "backups", "us-east-1")
    key = "keel/a key with spaces + plus"

    assert side.ask("PUT", key, headers={"x-amz-meta-two": " words "}, body=b"signed").status == 200
    assert side.ask("GET", key).body == b"signed"
    assert side.ask("GET", query={"list-type": "2", "prefix": "keel/a key"}).status == 200
    assert locked_until(side, key) is None


@pytest.mark.faults
@pytest.mark.parametrize(("login", "secret"), [("known", "expired"), ("nobody", "right")])
def test_credentials_that_are_refused_are_named_and_nothing_is_stored(
    checked: Bucket, login: str, secret: str, monkeypatch: pytest.MonkeyPatch, checking_endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", login)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    wrong = Bucket("geo", bucket="backups", prefix="keel", endpoint=checking_endpoint, region="us-east-1", patience=timedelta())

    with pytest.raises(RepositoryUnreachable, match=r"repository geo: 777/b/base\.00000: the credentials are refused") as refusal:
        wrong.put("777/b/base.00000", b"content")
    assert "AWS_ACCESS_KEY_ID" in refusal.value.hint
    assert Bucketside(checking_endpoint, "backups", "us-east-1").ask("GET", "keel/777/a/base.00000").status == 403
    monkeypatch.undo()


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)

    with pytest.raises(RepositoryUnreachable, match="AWS_ACCESS_KEY_ID"):
        Bucketside("http://127.0.0.1:1", "backups", "us-east-1").ask("GET")
