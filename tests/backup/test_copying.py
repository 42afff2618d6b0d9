"""The geo copy: byte for byte, in an order in which nothing counts too early, over a line that breaks."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO
from urllib.request import Request, urlopen

import pytest

from pgkeel.backup import (
    Bucket,
    Folder,
    KeyTaken,
    Record,
    RepositoryUnreachable,
    new_identity,
    read_catalogue,
    recipient_of,
    seal,
    verify,
    write_record,
)
from pgkeel.backup.copying import Copier, copy_order
from pgkeel.backup.errors import ObjectLocked
from tests.backup.proxy import LOST, FaultProxy

AT = datetime(2026, 1, 2, tzinfo=UTC)
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


@pytest.fixture
def proxy(s3_endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = FaultProxy(s3_endpoint)
    yield made
    made.close()


@pytest.fixture
def geo(proxy: FaultProxy, s3_endpoint: str, request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket behind the proxy."""
    name = f"c{abs(hash(request.node.nodeid))}"
    urlopen(Request(f"{s3_endpoint}/{name}", method="PUT")).close()
    return Bucket("geo", bucket=name, endpoint=proxy.url, region="us-east-1", patience=timedelta(seconds=20))


def stored(folder: Folder, name: str = "a") -> Record:
    def write(sink: IO[bytes]) -> None:
        sink.write(bytes(range(256)) * 400)

    parts = seal(write, key=f"777/{name}/base", repositories=[folder], recipients=[recipient_of(new_identity())], part=500)
    record = Record(name, "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", AT, AT, parts)
    write_record(folder, record)
    return record


def test_a_copy_is_the_same_byte_for_byte_and_a_second_run_copies_nothing(folder: Folder, geo: Bucket) -> None:
    record = stored(folder)

    assert Copier(folder, geo, "backups").run() == len(record.parts) + 1
    assert Copier(folder, geo, "backups").run() == 0
    assert read_catalogue(geo).records == (record,)
    assert verify(geo).damaged == ()


def test_what_makes_an_object_count_comes_after_it_and_unfinished_backups_stay() -> None:
    keys = ["7/a/backup.json", "7/a/base.00000", "7/b/base.00000", "7/lease/0", "7/marks/kept/a"]
    wal = ["7/wal/00000001/S.json", "7/wal/00000001/S.00000", "7/wal/00000002.history"]

    assert copy_order([*keys, *wal], "backups") == ["7/a/base.00000", "7/a/backup.json", "7/marks/kept/a"]
    assert copy_order([*keys, *wal], "wal") == ["7/wal/00000001/S.00000", "7/wal/00000001/S.json", "7/wal/00000002.history"]


def test_a_first_copy_that_is_cut_off_holds_the_backups_that_were_done(folder: Folder, geo: Bucket) -> None:
    first = stored(folder, "a")
    stored(folder, "b")
    left = len(first.parts) + 1

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Copier(folder, geo, "backups").run(check)
    assert read_catalogue(geo).records == (first,)


@pytest.mark.faults
def test_wal_whose_row_could_not_be_stored_is_not_copied_before_it_was_sealed_anew(folder: Folder, geo: Bucket) -> None:
    copier, segment = Copier(folder, geo, "wal"), "777/wal/00000001/S"
    folder.put(f"{segment}.00000", b"sealed once")
    copier.run()
    folder.delete(f"{segment}.00000")
    folder.put(f"{segment}.00000", b"sealed anew")
    folder.put(f"{segment}.json", b"{}")

    copier.run()

    assert geo.get(f"{segment}.00000") == b"sealed anew"


def test_pieces_go_from_the_copy_when_their_segment_is_whole_there(folder: Folder, geo: Bucket) -> None:
    piece = "777/wal/00000001/S.partial/00000000"
    for ending in ("00000", "json"):
        folder.put(f"{piece}.{ending}", b"x")
    copier = Copier(folder, geo, "wal")
    copier.run()
    for ending in ("00000", "json"):
        folder.delete(f"{piece}.{ending}")
        folder.put(f"777/wal/00000001/S.{ending}", b"y")

    copier.run()

    assert sorted(stored.key for stored in geo.list()) == ["777/wal/00000001/S.00000", "777/wal/00000001/S.json"]


@pytest.mark.faults
def test_errors_throttling_and_cut_uploads_are_repeated_until_the_copy_is_whole(
    folder: Folder, geo: Bucket, proxy: FaultProxy
) -> None:
    record = stored(folder)
    proxy.faults = [("PUT", 500, b""), ("PUT", 503, b"<Error><Code>SlowDown</Code></Error>"), ("PUT", 0, b""), ("GET", 500, b"")]
    proxy.faults += [("PUT", LOST, b"")] * 2

    while proxy.faults:
        with suppress(RepositoryUnreachable):  # the agent starts it again
            Copier(folder, geo, "backups").run()

    Copier(folder, geo, "backups").run()
    assert read_catalogue(geo).records == (record,)
    assert verify(geo).damaged == ()


@pytest.mark.faults
def test_expired_credentials_end_the_copy_with_what_to_renew_and_the_next_run_goes_on(
    folder: Folder, geo: Bucket, proxy: FaultProxy
) -> None:
    record = stored(folder)
    proxy.faults = [("PUT", 403, EXPIRED)]

    with pytest.raises(RepositoryUnreachable, match="credentials are refused") as refusal:
        Copier(folder, geo, "backups").run()
    assert "AWS_ACCESS_KEY_ID" in refusal.value.hint
    assert read_catalogue(geo).records == ()
    Copier(folder, geo, "backups").run()
    assert read_catalogue(geo).records == (record,)


@pytest.mark.faults
def test_bits_that_flip_on_the_way_back_are_found_by_verify(folder: Folder, geo: Bucket, proxy: FaultProxy) -> None:
    record = stored(folder)
    Copier(folder, geo, "backups").run()
    proxy.flip = True

    damaged = verify(geo).damaged

    assert damaged
    assert {fault.object.rpartition("/")[0] for fault in damaged} == {record.folder}


@pytest.mark.faults
def test_another_object_under_the_same_key_is_never_overwritten(folder: Folder, geo: Bucket) -> None:
    record = stored(folder)
    geo.put(record.parts[0].key, b"somebody else's")

    other = stored(folder, "b")

    with pytest.raises(KeyTaken):
        Copier(folder, geo, "backups").run()
    assert geo.get(record.parts[0].key) == b"somebody else's"
    assert read_catalogue(geo).records == (other,), "what has nothing to do with it waits for nobody"


@pytest.mark.faults
def test_who_may_not_delete_in_the_copy_goes_on_copying(folder: Folder, geo: Bucket, proxy: FaultProxy) -> None:
    piece = "777/wal/00000001/S.partial/00000000"
    folder.put(f"{piece}.json", b"x")
    copier = Copier(folder, geo, "wal")
    copier.run()
    folder.delete(f"{piece}.json")
    for ending in ("00000", "json"):
        folder.put(f"777/wal/00000001/S.{ending}", b"y")
    proxy.faults = [("POST", 403, b"<Error><Code>AccessDenied</Code></Error>")]

    assert copier.run() == 2
    assert copier.run() == 0
    assert geo.get("777/wal/00000001/S.json") == b"y"


@pytest.mark.faults
def test_an_object_that_may_not_be_deleted_is_locked(geo: Bucket, proxy: FaultProxy) -> None:
    geo.put("777/a/base.00000", b"x")
    proxy.faults = [("*", 403, b"<Error><Code>AccessDenied</Code></Error>")]

    with pytest.raises(ObjectLocked):
        geo.delete("777/a/base.00000")
