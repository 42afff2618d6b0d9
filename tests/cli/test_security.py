"""`pgkeel security` as a person types it, on a stack that runs."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgkeel.core.url import Url
from tests.projects import Home, environment, running
from tests.stack.load import Load

__all__ = ["running"]


@pytest.fixture
def planted(running: Home) -> Iterator[Home]:
    """A stack in which somebody gave the readers a right."""
    running.ok("psql", "--role", "superuser", "-c", "GRANT DELETE ON users TO pgkeel_ro")
    yield running
    running.ok("security", "roles", "apply")


def test_nothing_is_left_to_do_after_up(running: Home) -> None:
    assert running.data("security", "roles", "plan") == {"statements": [], "others": [], "outside": []}
    assert "as declared" in running.ok("security", "roles", "apply", "--dry-run")


def test_the_matrix_of_a_fresh_stack_has_no_mismatch(running: Home) -> None:
    found = running.data("security", "roles", "matrix")

    assert found["mismatches"] == 0
    assert set(found["cells"][0]) == {"operation", "role", "declared", "actual"}


def test_a_planted_right_is_a_finding_until_it_is_taken_away(planted: Home) -> None:
    revoke = 'REVOKE DELETE ON TABLE "public"."users" FROM "pgkeel_ro" CASCADE'
    plan = planted.run("security", "roles", "plan", "--json")
    matrix = planted.run("security", "roles", "matrix", "--json")
    dry = planted.data("security", "roles", "apply", "--dry-run")
    done = planted.data("security", "roles", "apply")

    assert (plan.returncode, json.loads(plan.stdout)["data"]["statements"]) == (1, [revoke])
    assert (matrix.returncode, json.loads(matrix.stdout)["data"]["mismatches"]) == (1, 3)
    assert (dry["statements"], done["statements"], done["not_done"]) == ([revoke], [revoke], [])
    assert planted.data("security", "roles", "plan")["statements"] == []


def test_a_declaration_that_cannot_be_is_a_configuration_error(running: Home) -> None:
    code, name, said = running.error("security", "roles", "plan", env={"PGKEEL_SECURITY__RO": '{users = "LOOK"}'})

    assert (code, name) == (2, "config")
    assert "LOOK" in said


def test_a_fresh_stack_lets_nobody_in_from_elsewhere(running: Home) -> None:
    assert running.data("security", "exposure") == {"findings": [], "not_evaluated": []}


@pytest.mark.parametrize("option", [(), ("--dry-run",)], ids=["done", "dry run"])
def test_up_refuses_the_whole_internet(running: Home, option: tuple[str, ...]) -> None:
    code, name, said = running.error("up", *option, env={"PGKEEL_SECURITY__APP_NETWORKS": '["0.0.0.0/0"]'})

    assert (code, name) == (2, "config")
    assert "security.app_networks" in said


def test_updates_show_the_server_its_openssl_and_the_wheels(running: Home) -> None:
    done = running.run("security", "updates", "--json")
    data = json.loads(done.stdout)["data"]

    rows = {row["component"]: row for row in data["components"]}
    assert {"PostgreSQL", "OpenSSL of the server", "OpenSSL in cryptography", "asyncpg"} <= rows.keys()
    assert done.returncode == int(data["is_stale"] or any(row["state"] == "outdated" for row in rows.values()))


def test_disks_and_swap_get_an_answer(running: Home) -> None:
    done = running.run("security", "at-rest", "--json")
    data = json.loads(done.stdout)["data"]

    assert set(data) == {"data_directory", "swap"}
    assert done.returncode == int(any(one["answer"] not in {"yes", "attested"} for one in data.values()))


def test_keys_are_added_shown_and_not_activated_too_early(running: Home) -> None:
    assert running.data("security", "keys", "add")["key"] == {"id": 2, "state": "pending"}  # `up` made the first
    assert running.error("security", "keys", "activate", "2")[:2] == (4, "too_early")
    shown = running.data("security", "keys", "status")["keys"]
    assert [(key["id"], key["state"], key["rows"]) for key in shown] == [(1, "active", 0), (2, "pending", 0)]
    assert (running.state / "secrets/fields.key").stat().st_mode & 0o777 == 0o600


def test_a_column_is_encrypted_by_three_files(running: Home) -> None:
    name = ("security", "encrypt", "users.username", "--index", "exact")
    planned = running.data(*name, "--unique", "idx_users_username", "--dry-run")["migrations"]
    assert running.error(*name)[:2] == (4, "refused")
    assert [each["name"] for each in planned] == ["encrypt users username", "switch users username", "drop old users username"]
    assert running.error("security", "find", "users.nothing")[:2] == (2, "not_found")
    paths = running.data(*name, "--unique", "idx_users_username")["paths"]
    for path in paths[1:]:
        Path(path).unlink()  # as if it had been killed after the first
    again = running.data(*name, "--unique", "idx_users_username")["paths"]
    assert again[0] == paths[0]
    assert running.data(*name, "--unique", "idx_users_username")["paths"] == again
    assert sorted(map(str, Path(paths[0]).parent.glob("*users_username.sql"))) == sorted(again) == again
    for path in again:
        Path(path).unlink()


def test_the_log_of_a_fresh_stack_watches_who_may_do_what(running: Home) -> None:
    running.ok("psql", "-c", "INSERT INTO roles (name) VALUES ('audited')")

    (entry,) = running.data("security", "audit", "search", "--table", "roles", "--operation", "insert", "--limit", "1")["entries"]
    foreseen = running.data("security", "audit", "anchor", "--dry-run")
    anchored = running.data("security", "audit", "anchor")
    verdict = running.data("security", "audit", "verify")

    assert entry["after"]["name"] == "audited"
    assert foreseen["sinks"] == anchored["sinks"] != []
    assert anchored["anchor"]["seal"] >= 1
    assert verdict["problems"] == []
    assert verdict["anchors"] >= 1
    assert running.data("security", "audit", "apply", "--dry-run")["steps"] == []


def test_somebody_who_touches_the_log_is_found(running: Home) -> None:
    running.ok("security", "audit", "anchor")
    running.ok("psql", "--role", "superuser", "-c", "UPDATE audit.seal SET rows = rows + 1 WHERE number = 1")
    done = running.run("security", "audit", "verify", "--json")
    running.ok("psql", "--role", "superuser", "-c", "UPDATE audit.seal SET rows = rows - 1 WHERE number = 1")

    assert done.returncode == 1
    assert {problem["kind"] for problem in json.loads(done.stdout)["data"]["problems"]} == {"removed"}


def test_an_entry_is_one_line_whatever_its_writer_put_into_it(running: Home) -> None:
    forged = "SELECT set_config('pgkeel.actor', E'mallory\\n2026-01-01 00:00:00  admin\\x1b[31m', false)"
    running.ok("psql", "-c", f"{forged}; INSERT INTO roles (name) VALUES ('forged')")

    said = running.ok("security", "audit", "search", "--table", "roles", "--operation", "insert", "--limit", "1")

    (line,) = said.splitlines()
    assert r"mallory\n2026-01-01 00:00:00  admin\x1b[31m" in line


def test_a_table_that_never_was_is_no_empty_answer(running: Home) -> None:
    code, name, said = running.error("security", "audit", "search", "--table", "rolls")

    assert (code, name) == (2, "not_found")
    assert "public.rolls" in said


def test_a_time_that_is_none_is_refused(running: Home) -> None:
    code, name, said = running.error("security", "audit", "search", "--since", "yesterday")

    assert (code, name) == (2, "usage")
    assert "--since" in said


@pytest.mark.timeout(400)
def test_passwords_change_under_load_and_no_statement_fails(running: Home) -> None:
    old = Url.parse(running.ok("url", "--reveal"))
    running.ok("psql", "--role", "superuser", "-c", "ALTER SYSTEM SET log_statement = 'all'", "-c", "SELECT pg_reload_conf()")
    with Load(old) as kept:
        dry = running.data("security", "roles", "rotate", "--dry-run")["roles"]
        done = running.data("security", "roles", "rotate")["roles"]
        new = Url.parse(running.ok("url", "--reveal"))
        with Load(new) as moved:
            again = running.data("security", "roles", "rotate", "app")["roles"]
    running.ok("psql", "--role", "superuser", "-c", "ALTER SYSTEM RESET log_statement", "-c", "SELECT pg_reload_conf()")
    log = "".join(file.read_text(errors="replace") for file in running.state.rglob("*.log"))

    assert (old.user, new.user) == ("pgkeel_app_a", "pgkeel_app_b")
    assert [(each["role"], each["step"]) for each in done] == [(each["role"], each["step"]) for each in dry]
    assert {each["role"]: each["step"] for each in done} == {
        "app": "switch", "readonly": "switch", "owner": "in_place", "monitor": "in_place", "backup": "in_place"
    }  # fmt: skip
    assert [(each["step"], each["previous"]) for each in again] == [("wait", "pgkeel_app_a")]
    assert (kept.failed, moved.failed) == ([], [])
    assert kept.done > 0 < moved.done
    assert "log_statement" in log
    assert not [name for name, secret in running.secrets().items() if secret.partition("\n")[0] in log]
    for role in ("readonly", "backup"):
        assert running.ok("psql", "--role", role, "-tAc", "SELECT 1") == "1"


def test_a_rotation_elsewhere_needs_the_password_file_of_one_role(running: Home) -> None:
    external = {"PGKEEL_DATABASE__URL": "postgresql://somebody@127.0.0.1:1/app"}

    assert running.error("security", "roles", "rotate", env=external)[:2] == (2, "usage")
    assert running.error("security", "roles", "rotate", "app", "--passfile", "/nonexistent", env=external)[:2] == (2, "config")
    assert running.error("security", "roles", "rotate", "--grace", "soon")[:2] == (2, "config")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("audit verify", ("may not read the audit log", "pgkeel_auditor")),
        ("keys status", ("the database does not allow it: permission denied", "[database] url")),
    ],
)
def test_a_login_that_may_not_is_told_so(running: Home, command: str, told: tuple[str, str]) -> None:
    as_reader = {"PGKEEL_DATABASE__URL": running.ok("url", "--role", "readonly")}

    code, _, message = running.error("security", *command.split(), env=as_reader)

    assert code == 2
    assert all(one in message for one in told)


def test_answers_have_the_shapes_that_scripts_rely_on(running: Home) -> None:
    assert {"id", "state", "rows"} <= set(running.data("security", "keys", "status")["keys"][0])
    assert {"name", "not_after", "sans"} <= set(running.data("security", "tls", "status")["certificates"][0])
    assert {"sealed", "unsealed", "problems"} <= set(running.data("security", "audit", "verify"))


def test_a_value_is_looked_for_from_stdin_and_is_no_argument(running: Home) -> None:
    def looked_for(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            running.argv("security", "find", *arguments, "--json"), input="ada@example.org\n", capture_output=True, text=True,
            env=environment(None), check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    assert looked_for("users.email") == (1, {"ok": True, "data": {"ids": []}, "error": None})
    for arguments, code, name in ((["users.username"], 2, "not_found"), (["users.email", "ada@example.org"], 2, "usage")):
        found = looked_for(*arguments)
        assert (found[0], found[1]["error"]["code"]) == (code, name)
