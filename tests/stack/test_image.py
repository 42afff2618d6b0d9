"""The rolling restored image: what an hour is on releases without sound incremental backups, and where a recovery begins."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.backup.recovery.image import Image, forget_image, read_image, write_image
from pgkeel.core.project import load
from pgkeel.stack.restoring import image_folder, scene_of
from pgkeel.stack.rolling import remove_image, roll
from tests.projects import Home, backups_at_start, new_home, remove_home

PROGRAM = """
import sys
from pathlib import Path
from pgkeel.core.project import load
from pgkeel.stack.rolling import roll

roll(load(Path(sys.argv[1])), lambda _: None)
"""


@pytest.fixture
def home() -> Iterator[Home]:
    made = new_home(backups_at_start())
    yield made
    remove_home(made)


@pytest.mark.majors
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("release", ["15", "16"])
def test_the_image_follows_every_hour_and_a_recovery_begins_with_it_until_it_is_broken(home: Home, release: str) -> None:
    (home.root / "pgkeel.toml").write_text(f'[local]\npostgres = "{release}"\nvalkey = false\n')
    home.ok("up")
    home.ok("backup", "full", "--yes")
    rolled_twice(home)
    rolled_through_an_idle_hour(home)
    second = rolled_through_kills(home)
    insert(home, 4)

    folder = image_folder(scene_of(load(home.root)))
    victim = a_page_of(folder / "data")
    content = victim.read_bytes()
    victim.write_bytes(bytes([*content[:100], content[100] ^ 1, *content[101:]]))
    done = home.run("recover", "beside", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "the image is broken" in done.stderr
    assert read_image(folder) is None
    home.ok("recover", "beside", "--end", "--yes")

    victim.write_bytes(content)
    write_image(folder, second)
    assert "image" not in home.run("backup", "drill", "--yes").stderr, "a drill proves the backups"
    done = home.run("recover", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "copying the image" in done.stderr
    assert count(home) == "4"
    assert read_image(folder) is None, "it has not gone this way"
    assert remove_image(load(home.root))
    assert not folder.exists()


def rolled_twice(home: Home) -> Image:
    said: list[str] = []
    insert(home, 1)
    assert home.data("backup", "incremental", "--yes")["kind"] == "wal"
    first = roll(load(home.root), said.append)
    insert(home, 2)
    second_id = home.data("backup", "incremental", "--yes")["id"]
    second = roll(load(home.root), said.append)
    assert first is not None
    assert second is not None
    assert (second.point, second.is_ready) == (second_id, True)
    assert sum("anew" in one for one in said) == 1, said
    return second


def rolled_through_an_idle_hour(home: Home) -> None:
    """Nothing is written: the hour's restore point is the first record of its segment."""
    said: list[str] = []
    newest = [home.data("backup", "incremental", "--yes")["id"] for _ in range(2)][-1]
    image = roll(load(home.root), said.append)
    assert image is not None
    assert (image.point, image.is_ready) == (newest, True)
    assert not any("anew" in one for one in said), said


def rolled_through_kills(home: Home) -> Image:
    """Kill the roll while it unpacks a backup, while WAL is gathered, and while it replays; then let it end."""
    folder = image_folder(scene_of(load(home.root)))
    insert(home, 3)
    newest = home.data("backup", "incremental", "--yes")["id"]
    forget_image(folder)
    for moment in ("links/0/base", "wal", "data/postmaster.pid"):
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home.root)], stdout=subprocess.DEVNULL)
        while child.poll() is None and not (folder / moment).exists():
            time.sleep(0.001)
        assert child.poll() is None, moment
        child.kill()
        child.wait()
        found = read_image(folder)
        assert found is None or not found.is_ready
    rolled = roll(load(home.root), lambda _: None)
    assert rolled is not None
    assert (rolled.point, rolled.is_ready) == (newest, True)
    return rolled


def insert(home: Home, number: int) -> None:
    home.ok("psql", "--role", "superuser", "-c", f"CREATE TABLE IF NOT EXISTS hours (n int); INSERT INTO hours VALUES ({number})")


def count(home: Home) -> str:
    return home.ok("psql", "--role", "superuser", "-Atc", "SELECT count(*) FROM hours")


def a_page_of(data: Path) -> Path:
    return max((data / "base").rglob("1259"))
