"""An incremental backup is laid over the full one in place; the outcome is what PostgreSQL's own program writes, byte by byte."""

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest

from pgkeel.backup.errors import Damaged
from pgkeel.backup.pipes import Ahead
from pgkeel.backup.recovery.chain import Link, combine
from pgkeel.backup.recovery.errors import VerificationFailed
from pgkeel.backup.recovery.listing import FilesDiffer, Sources, verify_files, write_manifest
from pgkeel.backup.recovery.manifest import NotAsListed, Proved, document_of, path_of
from pgkeel.backup.tools import ToolFailed, tool
from pgkeel.backup.unpacking import Content, Files, unpack
from pgkeel.core import clock
from pgkeel.local import Account, find_runtime
from pgkeel.testing.servers import scratch_cluster
from tests.backup.server import Server

MANIFEST = "backup_manifest"
NO_BLOCKS = 12  # bytes of a file that was sent by blocks, of which none had changed
WHOLE_BACKUPS_ONLY = {"15", "16"}
BEFORE = (
    "CREATE TABLE grown AS SELECT n, repeat('a', 200) AS filler FROM generate_series(1, 3000) AS n",
    "CREATE TABLE cut AS SELECT n, repeat('b', 200) AS filler FROM generate_series(1, 3000) AS n",
    "CREATE TABLE emptied AS SELECT n FROM generate_series(1, 3000) AS n",
    "CREATE TABLE dropped AS SELECT 1 AS n",
    "CREATE TABLE quiet AS SELECT n, repeat('c', 200) AS filler FROM generate_series(1, 3000) AS n",
    "CREATE INDEX ON grown (n)",
    "CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS n",
    "CREATE DATABASE goes",
)
AFTER = (
    "UPDATE grown SET filler = repeat('d', 200) WHERE n % 500 = 0",
    "INSERT INTO grown SELECT n, repeat('e', 200) FROM generate_series(3001, 9000) AS n",
    "DELETE FROM cut WHERE n > 1000",
    "VACUUM cut",
    "INSERT INTO cut SELECT n, repeat('f', 200) FROM generate_series(1, 200) AS n",
    "TRUNCATE emptied",
    "DROP TABLE dropped",
    "CREATE TABLE made AS SELECT n FROM generate_series(1, 3000) AS n",
    "DROP DATABASE goes",
    "CREATE DATABASE comes",
)


@pytest.fixture(scope="module")
def pair(major: str, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, Path]]:
    """A server, a full backup of it, and an incremental one after every kind of change."""
    if major in WHOLE_BACKUPS_ONLY:
        pytest.skip("PostgreSQL 17 was the first to take incremental backups")
    settings = {"summarize_wal": "on"}
    with scratch_cluster(runtime=find_runtime(major, account=account), account=account, settings=settings) as cluster:
        folder = tmp_path_factory.mktemp("pair")
        server = Server(cluster, folder)
        for statement in BEFORE:
            server.run(statement)
        take(server, folder / "full")
        for statement in AFTER:
            server.run(statement)
        take(server, folder / "newer", f"--incremental={folder / 'full/backup_manifest'}")
        yield server, folder / "full", folder / "newer"


def take(server: Server, target: Path, *options: str) -> None:
    fixed = ["--checkpoint=fast", "--no-sync", "--wal-method=fetch", f"--pgdata={target}", f"--dbname={server.address}"]
    tool(server.tools, "pg_basebackup", *fixed, *options)


def content(top: Path) -> dict[str, str]:
    """Return every path below a folder with its mode, and the hash of what a file holds."""
    found = {}
    for place, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(place, name)
            held = "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(top).as_posix()] = f"{path.stat().st_mode:o} {held}"
    return found


Held = dict[str, bytes | None]  # path → content, or None where it is a folder


def copies(*places: Path) -> list[Link]:
    """Return links that hand on what lies in folders, as a tar."""
    return [link(place.name, held_of(place)) for place in places]


def link(name: str, held: Held, *, is_proved: bool = False) -> Link:
    def bring(place: Path, files: Files, _check: Callable[[], None]) -> None:
        place.mkdir()
        hand_on(held, files)

    return Link(name, bring, is_proved)


def hand_on(held: Held, files: Files) -> None:
    files.begin(held[MANIFEST] or b"")
    with Ahead(packed(held), files.ahead) as stream:
        unpack(stream, files)


@cache
def held_of(source: Path) -> Held:
    paths = sorted(source.rglob("*"), key=lambda path: path.name == "pg_control")
    return {path.relative_to(source).as_posix(): None if path.is_dir() else path.read_bytes() for path in paths}


def packed(held: Held) -> io.BytesIO:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in held.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = (0o600, len(content)) if content is not None else (0o700, 0)
            member.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            if name != MANIFEST:
                archive.addfile(member, io.BytesIO(content or b""))
    whole.seek(0)
    return whole


@pytest.mark.majors
def test_what_is_laid_over_is_what_postgresql_combines(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, full, newer = pair
    sent = [path.stat().st_size for path in (newer / "base").rglob("INCREMENTAL.*")]
    tool(server.tools, "pg_combinebackup", "--no-sync", "--no-manifest", full, newer, f"--output={tmp_path / 'theirs'}")

    combine(copies(full, newer), tmp_path / "links", tmp_path / "ours", server.tools, lambda _: None)

    assert len([size for size in sent if size > NO_BLOCKS]) > 5
    assert sent.count(NO_BLOCKS) > 100
    assert content(tmp_path / "ours") == content(tmp_path / "theirs")
    assert not (tmp_path / "links").exists()


@pytest.mark.majors
def test_the_manifest_of_a_chain_is_the_one_that_postgresql_writes(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, full, newer = pair
    data = tmp_path / "ours"
    tool(server.tools, "pg_combinebackup", "--no-sync", full, newer, f"--output={tmp_path / 'theirs'}")

    write_manifest(data, laid_over(pair, tmp_path))

    assert listed_in(data) == listed_in(tmp_path / "theirs")
    assert verify_files(data, server.tools).ok


def test_a_file_that_the_disk_changed_after_it_was_unpacked_is_found_and_named(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, *_ = pair
    data, sources = tmp_path / "ours", laid_over(pair, tmp_path)
    same = max(sources.same, key=lambda name: (data / name).stat().st_size)
    write_manifest(data, sources)

    (data / same).write_bytes((data / same).read_bytes()[:-1] + b"x")
    (data / "PG_VERSION").unlink()

    with pytest.raises(FilesDiffer, match="pg_verifybackup: ") as refused:
        verify_files(data, server.tools)
    assert f'checksum mismatch for file "{same}"' in refused.value.message
    assert '"PG_VERSION" is present in the manifest but not on disk' in refused.value.message


def test_a_file_that_the_disk_lost_before_it_was_listed_is_named(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    sources = laid_over(pair, tmp_path)
    (tmp_path / "ours/backup_label").unlink()
    with pytest.raises(FilesDiffer, match=r"backup_label.*No such file"):
        write_manifest(tmp_path / "ours", sources)


def test_a_file_that_the_disk_changed_before_it_was_listed_is_found_though_it_was_put_together_here(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, *_ = pair
    data, sources = tmp_path / "ours", laid_over(pair, tmp_path)
    victim = max((name for name in sources.made if "/" in name), key=lambda name: (data / name).stat().st_size)
    content = (data / victim).read_bytes()

    (data / victim).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    write_manifest(data, sources)

    with pytest.raises(FilesDiffer, match=f'checksum mismatch for file "{victim}"'):
        verify_files(data, server.tools)


def test_a_file_that_the_disk_changed_before_blocks_were_put_into_it_is_found(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, full, newer = pair
    victim = largest(held_of(newer)).replace("INCREMENTAL.", "")

    def spoilt(place: Path, files: Files, check: Callable[[], None]) -> None:
        copies(full)[0].bring(place, files, check)
        content = (place / victim).read_bytes()
        (place / victim).write_bytes(bytes([content[0] ^ 1]) + content[1:])

    with pytest.raises(FilesDiffer, match=f'checksum mismatch for file "{victim}" of the full backup'):
        combine([Link("full", spoilt), *copies(newer)], tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)
    assert not (tmp_path / "data").exists()


def laid_over(pair: tuple[Server, Path, Path], folder: Path) -> Sources:
    server, full, newer = pair
    sources = combine(copies(full, newer), folder / "links", folder / "ours", server.tools, lambda _: None)
    assert sources is not None
    return sources


def listed_in(data: Path) -> dict[str, tuple[int, str]]:
    files = document_of((data / MANIFEST).read_bytes())["Files"]
    sizes = {path_of(one): (one["Size"], one["Checksum"]) for one in files if "Checksum" in one}
    return {name: found for name, found in sizes.items() if not name.startswith("pg_wal/")}


def test_backups_that_do_not_belong_together_are_refused_by_postgresql_itself(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, _, newer = pair
    take(server, tmp_path / "later")

    with pytest.raises(ToolFailed, match="pg_combinebackup"):
        combine(copies(tmp_path / "later", newer), tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)

    assert not (tmp_path / "data").exists()


def test_a_file_of_an_unknown_form_is_left_to_postgresql(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, full, newer = pair
    held, heard = dict(held_of(newer)), list[str]()
    held[largest(held)] = (held[largest(held)] or b"") + b"of a later form"

    combine(
        [*copies(full), link("later", held, is_proved=True)], tmp_path / "links", tmp_path / "data", server.tools, heard.append
    )

    assert heard[-1] == "combining the full backup and the incremental ones"
    assert (tmp_path / "data/backup_label").exists()
    name = quiet(held).replace("INCREMENTAL.", "")
    assert (tmp_path / "data" / name).read_bytes() == (full / name).read_bytes()


def test_backups_that_another_tool_unpacked_are_proved_and_combined_by_postgresql(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, full, newer = pair
    victim = max((newer / "base").rglob("INCREMENTAL.*"), key=lambda path: path.stat().st_size)

    def unpacked(place: Path, *_: object) -> None:
        shutil.copytree(newer, place)

    def spoilt(place: Path, *_: object) -> None:
        shutil.copytree(newer, place)
        (place / victim.relative_to(newer)).write_bytes(victim.read_bytes()[:-1] + b"x")

    whole = msgspec.structs.replace(copies(full)[0], is_proved=True)
    combine([whole, Link("newer", unpacked)], tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)
    assert (tmp_path / "data/backup_label").exists()

    with pytest.raises(VerificationFailed, match="checksum mismatch"):
        combine([whole, Link("newer", spoilt)], tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)
    assert not (tmp_path / "data").exists()


def quiet(held: Held) -> str:
    """Return a file that was sent by blocks and holds none."""
    return next(name for name, content in held.items() if "INCREMENTAL." in name and len(content or b"") == NO_BLOCKS)


def largest(held: Held) -> str:
    return max((name for name in held if "INCREMENTAL." in name), key=lambda name: len(held[name] or b""))


def flip_a_head(held: Held) -> None:
    content = held[quiet(held)] or b""
    held[quiet(held)] = bytes([*content[:8], content[8] ^ 1, *content[9:]])


def flip_a_block(held: Held) -> None:
    held[largest(held)] = (held[largest(held)] or b"")[:-1] + b"x"


def drop(held: Held) -> None:
    del held[quiet(held)]


def add(held: Held) -> None:
    held["base/5/99999"] = b"more"


def grow(held: Held) -> None:
    held["PG_VERSION"] = (held["PG_VERSION"] or b"") + b"0"


def edit_the_manifest(held: Held) -> None:
    held[MANIFEST] = (held[MANIFEST] or b"").replace(b"INCREMENTAL.", b"INCREMENTAL_", 1)


def cut_the_manifest(held: Held) -> None:
    held[MANIFEST] = (held[MANIFEST] or b"")[:3000]


class Nowhere:
    """Takes files and keeps nothing."""

    ahead = 2**22

    def begin(self, manifest: bytes) -> None: ...

    def folder(self, name: str, mode: int) -> None: ...

    def file(self, _name: str, _mode: int, content: Content) -> None:
        content.read(content.left)


def prove(held: Held) -> None:
    proved = Proved(Nowhere())
    hand_on(held, proved)
    proved.require_whole()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (flip_a_head, r'"\S+/INCREMENTAL\S+" has another checksum than the manifest says'),
        (flip_a_block, r'"\S+/INCREMENTAL\S+" has another checksum than the manifest says'),
        (drop, r'"\S+/INCREMENTAL\S+" is in the manifest, but not in the backup'),
        (add, '"base/5/99999" is not in the manifest'),
        (grow, '"PG_VERSION" has 4 bytes instead of 3'),
        (edit_the_manifest, "the manifest is not what its checksum says"),
        (cut_the_manifest, "the manifest cannot be read"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_found_while_it_is_unpacked(
    pair: tuple[Server, Path, Path], spoil: Callable[[Held], None], reason: str
) -> None:
    _, _, newer = pair
    held = dict(held_of(newer))
    spoil(held)

    with pytest.raises(NotAsListed, match=reason):
        prove(held)


def test_a_chain_is_not_put_together_when_a_file_is_not_what_was_backed_up(
    pair: tuple[Server, Path, Path], tmp_path: Path
) -> None:
    server, full, newer = pair
    held = dict(held_of(newer))
    flip_a_block(held)

    with pytest.raises(VerificationFailed, match="backup spoilt is not what was backed up"):
        combine([*copies(full), link("spoilt", held)], tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("algorithm", ["NONE", "SHA512"])
def test_manifests_with_other_checksums_are_read_too(pair: tuple[Server, Path, Path], tmp_path: Path, algorithm: str) -> None:
    server, full, _ = pair
    take(server, tmp_path / "newer", f"--incremental={full / MANIFEST}", f"--manifest-checksums={algorithm}")
    held = dict(held_of(tmp_path / "newer"))

    prove(held)

    (flip_a_block if algorithm == "SHA512" else grow)(held)
    with pytest.raises(NotAsListed, match=r"than the manifest says|instead of"):
        prove(held)


def test_a_link_that_cannot_be_had_ends_the_one_that_is_being_brought(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, *_ = pair
    ended = []

    def endless(_place: Path, _files: Files, check: Callable[[], None]) -> None:
        try:
            while True:
                check()
                clock.sleep(timedelta(milliseconds=1))
        finally:
            ended.append(True)

    def missing(*_: object) -> None:
        raise Damaged("it is whole nowhere")

    with pytest.raises(Damaged, match="whole nowhere"):
        combine([Link("full", endless, True), Link("newer", missing)], tmp_path / "l", tmp_path / "data", server.tools, print)

    assert ended
