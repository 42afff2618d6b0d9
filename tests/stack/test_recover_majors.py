"""A stack of each major recovers from what its hourly backups are: WAL slices on 15 and 16, blocks on 17 and 18."""

from collections.abc import Iterator

import pytest

from tests.projects import Home, backups_at_start, new_home, remove_home


@pytest.fixture
def home() -> Iterator[Home]:
    made = new_home(backups_at_start())
    yield made
    remove_home(made)


@pytest.mark.majors
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_hourly_backup_of_every_major_leads_back(home: Home, major: str) -> None:
    (home.root / "pgkeel.toml").write_text(f'[local]\npostgres = "{major}"\nvalkey = false\n')
    home.ok("up")
    home.ok("psql", "-c", "CREATE TABLE kept (n bigint PRIMARY KEY)")
    home.ok("psql", "-c", "INSERT INTO kept SELECT generate_series(1, 10000)")
    home.ok("backup", "full", "--yes")
    home.ok("psql", "-c", "DELETE FROM kept WHERE n <= 100")
    hourly = home.data("backup", "incremental", "--yes")
    home.ok("psql", "-c", "INSERT INTO kept VALUES (20000)")
    home.ok("psql", "-c", "DELETE FROM kept")

    drilled = home.data("backup", "drill", "--yes")
    verified = {one["id"]: one["verified_at"] for one in home.data("backup", "list")["backups"]}
    done = home.data("recover", "--before", "DELETE on kept", "--latest", "--yes")

    assert hourly["kind"] == ("wal" if int(major) < 17 else "incremental")
    assert {check["ok"] for check in drilled["checks"]} == {True}
    assert None not in {verified[drilled["backup"]], verified[hourly["id"]]}
    assert {check["ok"] for check in done["checks"]} == {True}
    assert home.ok("psql", "-Atc", "SELECT count(*), min(n), max(n) FROM kept") == "9901|101|20000"
