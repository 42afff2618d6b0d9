import resource
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pgkeel.backup import Bucket, Folder, RepositoryFailed, RepositoryUnreachable, open_repository, verify
from pgkeel.backup.addresses import require_apart
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.repository import Repository


def test_an_object_comes_back_as_it_was_put(repository: Repository) -> None:
    assert repository.put("1/a/x.00000", b"content")

    assert repository.get("1/a/x.00000") == b"content"
    assert [(one.key, one.bytes) for one in repository.list()] == [("1/a/x.00000", 7)]


def test_a_key_that_is_taken_is_never_overwritten(repository: Repository) -> None:
    repository.put("1/x", b"first")

    assert not repository.put("1/x", b"second")
    assert repository.get("1/x") == b"first"


def test_of_many_writers_of_one_key_exactly_one_wins(repository: Repository) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: repository.put("1/x", b"%d" % n), range(8)))

    assert outcomes.count(True) == 1
    assert repository.get("1/x") == b"%d" % outcomes.index(True)


def test_what_is_not_there_is_none_and_can_be_deleted(repository: Repository) -> None:
    repository.delete("1/x")

    assert repository.get("1/x") is None
    assert list(repository.list()) == []


def test_a_listing_takes_whole_parts_in_order(repository: Repository) -> None:
    for key in ("12/b", "1/b", "1/a", "1/c/d"):
        repository.put(key, b"")

    assert [one.key for one in repository.list("1")] == ["1/a", "1/b", "1/c/d"]


def test_a_deleted_object_is_gone_and_its_neighbour_is_not(repository: Repository) -> None:
    repository.put("1/a/x", b"")
    repository.put("1/b/x", b"")

    repository.delete("1/a/x")

    assert [one.key for one in repository.list()] == ["1/b/x"]


def test_who_deletes_the_last_object_of_a_folder_is_in_nobodys_way(folder: Folder) -> None:
    def come_and_go(who: int) -> None:
        for number in range(150):
            key = f"777/lease/{who}-{number}"
            assert folder.put(key, b"x")
            assert folder.get(key) == b"x"
            folder.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert list(folder.list()) == []


def test_what_others_keep_in_the_folder_is_not_ours(folder: Folder) -> None:
    folder.put("1/a", b"")
    (folder.root / "lost+found").mkdir(mode=0)  # closed to all but root at the top of each ext4
    (folder.root / "read me, \udcff.txt").write_bytes(b"")

    assert [one.key for one in folder.list()] == ["1/a"]
    assert verify(folder).damaged == ()


def test_what_others_keep_in_the_bucket_is_not_ours(s3_bucket: Bucket, s3_endpoint: str, request: pytest.FixtureRequest) -> None:
    s3_bucket.put("1/a", b"")
    place = f"{s3_endpoint}/b{abs(hash(request.node.nodeid))}/keel"
    urlopen(Request(f"{place}/read%20me", data=b"x", method="PUT")).close()

    assert [one.key for one in s3_bucket.list()] == ["1/a"]
    assert verify(s3_bucket).damaged == ()


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../x", "a//x", ".arriving-x", "a/", "a b", "a\nb"])
def test_a_key_cannot_leave_the_repository(repository: Repository, key: str) -> None:
    with pytest.raises(UsageError):
        repository.put(key, b"x")


def test_only_the_owner_can_enter_the_folder_or_read_an_object(folder: Folder) -> None:
    folder.put("1/x", b"")

    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.root / "1/x").stat().st_mode) == 0o600


def test_a_full_disk_leaves_nothing_of_the_object(folder: Folder) -> None:
    code = """if True:
        import sys; from pathlib import Path
        from pgkeel.backup import Folder, RepositoryFailed
        try: Folder("local", Path(sys.argv[1])).put("1/x", b"x" * 200_000)
        except RepositoryFailed as err: print(err.message)
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = subprocess.run([sys.executable, "-c", code, folder.root], capture_output=True, text=True, check=True, preexec_fn=limit)

    assert "repository local: 1/x" in said.stdout
    assert [path for path in folder.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("is_mount_point", [False, True])
def test_a_folder_that_is_not_mounted_is_told_from_a_new_one(tmp_path: Path, is_mount_point: bool) -> None:
    root, note = tmp_path / "disk", tmp_path / "notes" / "geo"
    assert list(Folder("geo", root, note=note).list()) == []
    Folder("geo", root, note=note).put("777/a/object", b"content")
    Folder("geo", root, note=note).delete("777/a/object")
    assert list(Folder("geo", root, note=note).list()) == []
    root.rename(tmp_path / "away")
    if is_mount_point:
        root.mkdir()

    found = Folder("geo", root, note=note)

    for act in (lambda: list(found.list()), lambda: found.put("777/b/object", b"content")):
        with pytest.raises(RepositoryUnreachable, match="is not there"):
            act()
    assert not (root / "777").exists()
    assert list(Folder("geo", tmp_path / "other", note=note).list()) == []
    if is_mount_point:
        root.rmdir()
    (tmp_path / "away").rename(root)
    assert found.put("777/b/object", b"content")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RepositoryFailed, match="repository local"):
        Folder("local", tmp_path / "file" / "repository").put("1/x", b"")


def test_what_a_killed_writer_left_is_no_object_and_is_swept(folder: Folder) -> None:
    folder.put("1/x", b"")
    (folder.root / "1/.arriving-abc").write_bytes(b"half")

    assert [one.key for one in folder.list()] == ["1/x"]
    assert folder.sweep() == 1
    assert [path.name for path in (folder.root / "1").iterdir()] == ["x"]


def test_a_server_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    nobody = Bucket("geo", bucket="b", endpoint="http://127.0.0.1:1", patience=timedelta())

    with pytest.raises(RepositoryUnreachable, match="repository geo") as refusal:
        nobody.put("1/x", b"")
    assert "hidden" not in refusal.value.message


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_a_line_break_in_the_credentials_is_named_without_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hidden\n")

    with pytest.raises(ConfigError, match=name) as refusal:
        Bucket("geo", bucket="any", endpoint="http://127.0.0.1:1")
    assert "hidden" not in str(refusal.value.as_dict())


def test_without_credentials_the_variables_are_named(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    nobody = Bucket("geo", bucket="b", endpoint=s3_endpoint, patience=timedelta())

    with pytest.raises(RepositoryUnreachable, match="there are no credentials") as refusal:
        nobody.put("1/x", b"")
    assert "AWS_ACCESS_KEY_ID" in refusal.value.hint


def test_a_bucket_that_does_not_exist_is_named(s3_bucket: Bucket, s3_endpoint: str) -> None:
    lost = Bucket("geo", bucket="nowhere", endpoint=s3_endpoint, region="us-east-1")

    with pytest.raises(RepositoryFailed, match="repository geo"):
        lost.put("1/x", b"")
    with pytest.raises(RepositoryFailed, match="there is no such bucket"):
        list(lost.list())


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("backups", "/srv/project/backups"),
        ("/srv/a b", "/srv/a b"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("file://localhost/srv", "/srv"),
    ],
)
def test_a_folder_is_named_by_its_path_or_by_a_url(address: str, place: str) -> None:
    found = open_repository("local", address, root=Path("/srv/project"))

    assert isinstance(found, Folder)
    assert found.root == Path(place)


@pytest.mark.parametrize(
    "address",
    [
        *("", "file://srv/backups", "file:backups", "~/backups", "ftp://srv/backups", "s3:///prefix", "s3://[::1/x"),
        *("s3://bucket/a//b", "s3://bucket/../x", "s3://bucket:9000/x", "s3://bucket/x#y", "s3://buck et/x"),
        *("s3://bucket/x?region=", "s3://bucket/x?endpoint=", "s3://bucket/x?endpoint=localhost:9000"),
        *("s3://bucket/x?endpoint=minio.lan", "s3://bucket/x?endpoint=http://[bad", "s3://bucket/x?endpoint=http://a:b@host"),
    ],
)
def test_an_address_that_would_lead_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"backup\.repositories\.local"):
        open_repository("local", address, root=Path("/srv/project"))


@pytest.mark.parametrize(
    ("addresses", "is_apart"),
    [
        (["backups", "elsewhere"], True),
        (["backups", "backups-geo"], True),
        (["s3://one/keel", "s3://one/keel2", "s3://two/keel", "s3://one/keel?endpoint=http://127.0.0.1:1"], True),
        (["backups", "backups/geo"], False),
        (["backups/geo", "elsewhere", "backups"], False),
        (["backups", "link"], False),
        (["s3://one", "s3://one/geo"], False),
        (["s3://one/keel", "s3://one/keel/"], False),
    ],
)
def test_no_repository_lies_in_another(tmp_path: Path, addresses: list[str], is_apart: bool) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "backups")
    found = [open_repository(f"number{number}", address, root=tmp_path) for number, address in enumerate(addresses)]

    with nullcontext() if is_apart else pytest.raises(ConfigError, match="lies in number"):
        require_apart(found)
