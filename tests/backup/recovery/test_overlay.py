"""An incremental backup is laid over the full one in place; the outcome is what PostgreSQL's own program writes, byte by byte."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from pgkeel.backup.recovery.chain import Link, combine
from pgkeel.backup.recovery.overlay import plan_overlay
from pgkeel.backup.tools import ToolFailed, tool
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
    def bring(source: Path, place: Path) -> None:
        shutil.copytree(source, place)

    return [Link(place.name, partial(bring, place)) for place in places]


@pytest.mark.majors
def test_what_is_laid_over_is_what_postgresql_combines(pair: tuple[Server, Path, Path], tmp_path: Path) -> None:
    server, full, newer = pair
    tool(server.tools, "pg_combinebackup", "--no-sync", "--no-manifest", full, newer, f"--output={tmp_path / 'theirs'}")
    planned = plan_overlay(full, newer, server.tools)

    combine(copies(full, newer), tmp_path / "links", tmp_path / "ours", server.tools, lambda _: None)

    assert planned is not None
    assert len(planned.changed) > 100
    assert content(tmp_path / "ours") == content(tmp_path / "theirs")


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
    combine(
        [*copies(full), msgspec.structs.replace(copies(tmp_path / "longer")[0], is_proved=True)],
        tmp_path / "links",
        tmp_path / "data",
        server.tools,
        lambda _: None,
    )
    assert (tmp_path / "data/backup_label").exists()
