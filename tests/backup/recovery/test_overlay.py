"""An incremental backup is laid over the full one in place; the outcome is what PostgreSQL's own program writes, byte by byte."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from pgkeel.backup.errors import Damaged
from pgkeel.backup.recovery.chain import Aside, Link, combine
from pgkeel.backup.recovery.errors import VerificationFailed
from pgkeel.backup.recovery.manifest import manifest_of_others
from pgkeel.backup.recovery.overlay import plan_overlay
from pgkeel.backup.tools import ToolFailed, tool
from pgkeel.core import clock
from pgkeel.local import Account, find_runtime
from pgkeel.testing.servers import scratch_cluster
from tests.backup.server import Server

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


def copies(*places: Path) -> list[Link]:
    def bring(source: Path, place: Path, *_: object) -> None:
        shutil.copytree(source, place)

    return [Link(place.name, partial(bring, place)) for place in places]


def lightly(link: Link, spoil: Callable[[Path, Aside], None] = lambda _place, _aside: None) -> Link:
    """Return the link as one that keeps files without content aside; what it brings is spoilt."""

    def bring(place: Path, aside: Aside | None, check: Callable[[], None]) -> None:
        link.bring(place, None, check)
        if aside is not None:
            aside |= quiet_of(place)
            for name in aside:
                (place / name).unlink()
            spoil(place, aside)

    return msgspec.structs.replace(link, bring=bring)


@pytest.mark.majors
def test_what_is_laid_over_is_what_postgresql_combines(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, full, newer = pair
    tool(server.tools, "pg_combinebackup", "--no-sync", "--no-manifest", full, newer, f"--output={tmp_path / 'theirs'}")
    planned = plan_overlay(full, newer, server.tools)

    combine(copies(full, newer), tmp_path / "links", tmp_path / "ours", server.tools, lambda _: None)
    light = [lightly(link) for link in copies(full, newer)]
    combine(light, tmp_path / "links", tmp_path / "lightly", server.tools, lambda _: None)

    assert planned is not None
    assert len(planned.changed) > 5
    assert len(planned.cut) > 100
    assert content(tmp_path / "ours") == content(tmp_path / "lightly") == content(tmp_path / "theirs")


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
    shutil.copytree(newer, tmp_path / "longer")
    piece = next(path for path in (tmp_path / "longer/base").rglob("INCREMENTAL.*") if path.stat().st_size > 8192)
    with piece.open("ab") as file:
        file.write(b"of a later form")

    assert plan_overlay(full, tmp_path / "longer", server.tools) is None
    longer = lightly(msgspec.structs.replace(copies(tmp_path / "longer")[0], is_proved=True))
    combine([*copies(full), longer], tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)
    assert (tmp_path / "data/backup_label").exists()
    quiet = next(name for name, held in quiet_of(newer).items() if held).replace("INCREMENTAL.", "")
    assert (tmp_path / "data" / quiet).read_bytes() == (full / quiet).read_bytes()


def quiet_of(newer: Path) -> Aside:
    """Return what an incremental backup's files of relations hold that hold no block."""
    files = [path for path in (newer / "base").rglob("*") if path.is_file() and path.stat().st_size in {0, 12}]
    return {path.relative_to(newer).as_posix(): path.read_bytes() for path in files}


def test_what_is_kept_aside_is_proved_by_the_manifest_and_the_others_are_left_to_postgresql(
    pair: tuple[Server, Path, Path],
) -> None:
    _, _, newer = pair
    manifest, aside = (newer / "backup_manifest").read_bytes(), quiet_of(newer)
    cut, empty = (next(name for name, held in aside.items() if bool(held) is has_head) for has_head in (True, False))
    flipped = bytes([*aside[cut][:8], aside[cut][8] ^ 1, *aside[cut][9:]])

    others = msgspec.json.decode(manifest_of_others(manifest, aside))

    assert len(others["Files"]) + len(aside) == len(msgspec.json.decode(manifest)["Files"])
    for wrong, reason in (
        ({cut: flipped}, f'"{cut}" is not what the manifest says'),
        ({cut: aside[cut][:8]}, f'"{cut}" is not what the manifest says'),
        ({empty: b"12 bytes too"}, f'"{empty}" is not what the manifest says'),
        ({"base/5/INCREMENTAL.99999": aside[cut]}, '"base/5/INCREMENTAL.99999" is not in the manifest'),
    ):
        with pytest.raises(Damaged, match=re.escape(reason)):
            manifest_of_others(manifest, {**aside, **wrong})
    for spoilt, reason in (
        (manifest.replace(cut.encode(), b"base/5/INCREMENTAL.99999"), "is not what its checksum says"),
        (manifest[:3000], "the manifest cannot be read"),
        (b"[]", "the manifest cannot be read"),
    ):
        with pytest.raises(Damaged, match=reason):
            manifest_of_others(spoilt, aside)


def flip(_place: Path, aside: Aside) -> None:
    name = next(name for name, content in aside.items() if content)
    aside[name] = bytes([*aside[name][:8], aside[name][8] ^ 1, *aside[name][9:]])


def drop(_place: Path, aside: Aside) -> None:
    aside.popitem()


def spoil_a_file(place: Path, _aside: Aside) -> None:
    path = max((place / "base").rglob("INCREMENTAL.*"), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (flip, "is not what the manifest says"),
        (drop, "is present in the manifest but not on disk"),
        (spoil_a_file, "checksum mismatch"),
    ],
)
def test_a_chain_is_not_put_together_when_a_file_is_not_what_was_backed_up(
    pair: tuple[Server, Path, Path], tmp_path: Path, spoil: Callable[[Path, Aside], None], reason: str
) -> None:
    server, full, newer = pair
    links = [msgspec.structs.replace(copies(full)[0], is_proved=True), lightly(copies(newer)[0], spoil)]

    with pytest.raises(VerificationFailed, match=reason):
        combine(links, tmp_path / "links", tmp_path / "data", server.tools, lambda _: None)

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("algorithm", ["NONE", "SHA512"])
def test_manifests_with_other_checksums_are_read_too(pair: tuple[Server, Path, Path], tmp_path: Path, algorithm: str) -> None:
    server, full, _ = pair
    take(server, tmp_path / "newer", f"--incremental={full / 'backup_manifest'}", f"--manifest-checksums={algorithm}")
    manifest, aside = (tmp_path / "newer/backup_manifest").read_bytes(), quiet_of(tmp_path / "newer")

    others = manifest_of_others(manifest, aside)

    assert msgspec.json.decode(others)["System-Identifier"] == msgspec.json.decode(manifest)["System-Identifier"]
    with pytest.raises(Damaged, match="is not what the manifest says"):
        manifest_of_others(manifest, {**aside, next(iter(aside)): b"another"})


def test_a_link_that_cannot_be_had_ends_the_one_that_is_being_brought(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, *_ = pair
    ended = []

    def endless(_place: Path, _aside: Aside | None, check: Callable[[], None]) -> None:
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
