"""The embedded stack on each major."""

import pytest

from tests.projects import Home


@pytest.mark.majors
def test_up_runs_the_wanted_major_and_everything_works_on_it(home: Home, major: str) -> None:
    env = {"PGKEEL_LOCAL__POSTGRES": major}

    home.ok("up", env=env)

    data = home.data("status", env=env)
    assert data["healthy"]
    assert data["postgres"]["major"] == int(major)
    assert [said for said in data["warnings"] if "is old" not in said] == []  # a wheel may be behind the newest minor
    home.ok("psql", "-c", "CREATE TABLE later (id bigint)", env=env)
    home.ok("psql", "--role", "app", "-c", "INSERT INTO later VALUES (1)", env=env)
    assert home.ok("psql", "--role", "readonly", "-Atc", "SELECT count(*) FROM later", env=env) == "1"
