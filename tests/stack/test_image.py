"""The rolling restored image: what an hour is on releases without sound incremental backups, and where a recovery begins."""

from pathlib import Path

import pytest

from pgkeel.backup.recovery.image import Image, read_image, write_image
from pgkeel.core.project import load
from pgkeel.stack.restoring import image_folder, scene_of
from pgkeel.stack.rolling import remove_image, roll
from tests.projects import Home


@pytest.mark.majors
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("release", ["15", "16"])
def test_the_image_follows_every_hour_and_a_recovery_begins_with_it_until_it_is_broken(home: Home, release: str) -> None:
    (home.root / "pgkeel.toml").write_text(f'[local]\npostgres = "{release}"\nvalkey = false\n')
    home.ok("up")
    home.ok("backup", "full")
    second = rolled_twice(home)
    insert(home, 3)

    folder = image_folder(scene_of(load(home.root)))
    victim = a_page_of(folder / "data")
    content = victim.read_bytes()
    victim.write_bytes(bytes([*content[:100], content[100] ^ 1, *content[101:]]))
    done = home.run("recover", "beside", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "the image is broken" in done.stderr
    assert read_image(folder) is None
    home.ok("recover", "beside", "--end")

    victim.write_bytes(content)
    write_image(folder, second)
    assert "image" not in home.run("backup", "drill").stderr, "a drill proves the backups"
    done = home.run("recover", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "copying the image" in done.stderr
    assert count(home) == "3"
    assert read_image(folder) is None, "it has not gone this way"
    assert remove_image(load(home.root))
    assert not folder.exists()


def rolled_twice(home: Home) -> Image:
    said: list[str] = []
    insert(home, 1)
    assert home.data("backup", "incremental")["kind"] == "wal"
    first = roll(load(home.root), said.append)
    insert(home, 2)
    second_id = home.data("backup", "incremental")["id"]
    second = roll(load(home.root), said.append)
    assert first is not None
    assert second is not None
    assert (second.point, second.is_ready) == (second_id, True)
    assert sum("anew" in one for one in said) == 1, said
    return second


def insert(home: Home, number: int) -> None:
    home.ok("psql", "--role", "superuser", "-c", f"CREATE TABLE IF NOT EXISTS hours (n int); INSERT INTO hours VALUES ({number})")


def count(home: Home) -> str:
    return home.ok("psql", "--role", "superuser", "-Atc", "SELECT count(*) FROM hours")


def a_page_of(data: Path) -> Path:
    return max((data / "base").rglob("1259"))
