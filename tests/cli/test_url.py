import json
import subprocess
from pathlib import Path

import pytest

from tests.projects import Home, environment


@pytest.mark.parametrize("command", [["url"], ["psql", "-c", "SELECT 1"]])
def test_before_the_first_up_the_next_step_is_named(home: Home, command: list[str]) -> None:
    done = home.run(*command)

    assert done.returncode == 3
    assert "pgkeel up" in done.stderr
    assert not home.state.exists()


def test_the_env_form_is_what_a_shell_and_libpq_read(running: Home) -> None:
    lines = running.ok("url", "--role", "readonly", "-o", "env")
    memory = json.loads((running.state / "stack.json").read_text())
    script = f'{lines}\n"{Path(memory["runtime"]["folder"]) / "psql"}" -Atc "SELECT current_user"'

    said = subprocess.run(["sh", "-c", script], env=environment(None), capture_output=True, text=True, check=False)

    assert said.stdout.strip() == "pgkeel_readonly_a", said.stderr
    assert lines.startswith("export DATABASE_URL='postgresql://")
    assert "PGPASSWORD" not in lines


def test_the_json_form_has_the_parts(running: Home) -> None:
    plain = json.loads(running.ok("url", "-o", "json"))
    wrapped = running.data("url")

    assert plain == wrapped
    assert plain["user"] == "pgkeel_app_a"
    assert plain["options"]["sslmode"] == "verify-full"
    assert "password" not in json.dumps(plain)


def test_psql_hands_everything_else_to_psql(running: Home) -> None:
    said = running.ok("psql", "-At", "-v", "who=me", "-c", r"\echo :who", "-c", "SELECT current_user")

    assert said.splitlines() == ["me", "pgkeel_owner"]


def test_psql_exits_as_psql_does(running: Home) -> None:
    done = running.run("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT nothing FROM nowhere")

    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_what_the_caller_s_environment_says_to_libpq_does_not_lead_astray(running: Home) -> None:
    misleading = {"PGHOST": "db.example.com", "PGPASSWORD": "wrong", "PGSERVICE": "other", "PGSSLMODE": "disable"}

    assert running.ok("psql", "-Atc", "SELECT 1", env=misleading) == "1"


def test_an_unknown_role_is_wrong_usage(running: Home) -> None:
    assert running.run("url", "--role", "admin").returncode == 2


def test_psql_is_led_where_the_address_leads_and_as_carefully(running: Home) -> None:
    address = running.ok("url").replace("127.0.0.1", "nowhere.invalid") + "&hostaddr=127.0.0.1"
    by_name = {"PGKEEL_DATABASE__URL": address.replace("verify-full", "verify-ca")}
    careful = {"PGKEEL_DATABASE__URL": f"{by_name['PGKEEL_DATABASE__URL']}&require_auth=md5"}

    refused = running.run("psql", "-tAc", "SELECT 1", env=careful)

    assert running.ok("psql", "-tAc", "SELECT 1", env=by_name) == "1"
    assert refused.returncode == 2
    assert "authentication method requirement" in refused.stderr


def test_psql_is_not_led_to_another_server_by_an_address_that_is_none(running: Home) -> None:
    mistaken = {"PGKEEL_DATABASE__URL": "env:MISTAKEN", "MISTAKEN": f"DATABASE_URL={running.ok('url')}"}

    done = running.run("psql", "-c", "SELECT 1", env=mistaken)

    assert done.returncode == 2
    assert "invalid connection option 'DATABASE_URL'" in done.stderr
