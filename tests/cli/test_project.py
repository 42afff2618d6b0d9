"""`init` and `config`: the first minutes of a project."""

import json
import subprocess
import sys
import tomllib

import jsonschema
import pytest

from pgkeel.cli.main import COMMANDS
from tests.projects import Home

FILES = {"pgkeel.toml", "pgkeel.schema.json", "migrations/.gitkeep", ".github/workflows/pgkeel.yml", ".gitignore"}


def test_a_scaffold_passes_its_own_up(home: Home) -> None:
    home.ok("init")

    home.ok("up")

    assert home.data("status")["healthy"]


def test_init_makes_the_folder_that_it_is_given_and_says_how_to_go_on(home: Home) -> None:
    folder = home.root / "new" / "project"

    said = home.ok("init", str(folder))

    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == FILES
    assert said.endswith(f"Next: pgkeel -C {folder} up")


def test_a_dry_run_of_init_writes_nothing(home: Home) -> None:
    planned = home.data("init", "--dry-run")

    assert set(planned["files"]) == FILES
    assert list(home.root.iterdir()) == []


def test_init_keeps_what_exists_and_adds_to_gitignore(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text('[database]\nname = "mine"\n')
    (home.root / ".gitignore").write_text("*.log")

    files = home.data("init")["files"]
    again = home.data("init")["files"]

    assert files["pgkeel.toml"] == "keep"
    assert files[".gitignore"] == "extend"
    assert set(again.values()) == {"keep"}
    assert (home.root / "pgkeel.toml").read_text() == '[database]\nname = "mine"\n'
    assert (home.root / ".gitignore").read_text() == "*.log\n.pgkeel/\n.pgkeel-backup/\n"


def test_the_schema_accepts_the_scaffold_and_refuses_a_wrong_key(home: Home) -> None:
    home.ok("init")
    schema = json.loads(home.ok("config", "schema"))
    scaffold = tomllib.loads((home.root / "pgkeel.toml").read_text())

    jsonschema.validate(scaffold, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"local": {"postgers": "17"}}, schema)
    assert json.loads((home.root / "pgkeel.schema.json").read_text()) == schema


def test_config_show_is_toml_that_means_the_same(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text('[pool]\nmax = 20\n[agent]\nschedules = { "purge.sessions" = "0 3 * * *" }\n')

    shown = home.ok("config", "show")
    (home.root / "pgkeel.toml").write_text(shown)

    assert tomllib.loads(shown)["agent"]["schedules"] == {"purge.sessions": "0 3 * * *"}
    assert home.ok("config", "show") == shown


def test_config_show_tells_where_each_value_came_from(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text("[pool]\nmax = 20\n")

    shown = home.data("config", "show", "--origin", env={"PGKEEL_POOL__MIN": "5"})

    assert shown["pool.max"] == {"value": 20, "origin": "pgkeel.toml"}
    assert shown["pool.min"] == {"value": 5, "origin": "PGKEEL_POOL__MIN"}
    assert shown["pool.idle"] == {"value": "30s", "origin": "default"}


def test_config_show_hides_a_password_that_should_not_be_there(home: Home) -> None:
    shown = home.run("config", "show", "--json", env={"PGKEEL_DATABASE__URL": "postgresql://me:hunter2@db/app"})

    assert "hunter2" not in shown.stdout + shown.stderr


def test_a_wrong_setting_is_said_with_the_nearest_right_one(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text("[pool]\nmaxx = 20\n")

    code, name, said = home.error("up")

    assert (code, name) == (2, "config")
    assert "did you mean pool.max?" in said


def test_a_command_that_is_misspelt_is_guessed_and_bytes_that_are_no_text_leave_no_traceback(home: Home) -> None:
    assert "Did you mean 'security'?" in home.error("securty")[2]
    assert "pgkeel security keys is followed by one of: activate, add" in home.run("security", "keys").stderr
    assert home.error("security", "find", "\udcff.x")[:2] == (2, "not_found")


@pytest.mark.parametrize("command", ["up", "down", "status", "reset", "url", "psql", "init", "config"])
def test_every_command_has_help(home: Home, command: str) -> None:
    said = home.ok(command, "--help")

    assert command in COMMANDS
    assert len(said.splitlines()) > 4


@pytest.mark.parametrize("module", ["up", "url", "migrate", "security", "backup", "recover", "cache", "agent"])
def test_a_command_starts_without_the_orm_which_loads_for_a_second(module: str) -> None:
    code = f"import sys, pgkeel.cli.{module}; print('sqlalchemy' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_migrate_up_loads_nothing_that_it_does_not_use() -> None:
    code = (
        "import sys; from pgkeel.cli.main import root; root(['migrate', 'up', '--help'], standalone_mode=False);"
        "print('loaded', *sorted(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.splitlines()[-1].split())
    others = {"sqlalchemy", "cryptography", "asyncpg", "rich", "redis", "postgast", "argon2"}
    ours = {f"pgkeel.{name}" for name in ("access", "agent", "backup", "cache", "security.tls", "stack.up", "migrations.lint")}
    assert "pgkeel.migrations.runner" in loaded
    assert loaded & (others | ours) == set()
    assert {name for name in loaded if name.startswith("pgkeel.cli.migrate_")} == {
        "pgkeel.cli.migrate_options",
        "pgkeel.cli.migrate_run",
    }
