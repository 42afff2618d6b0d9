import json
import os
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psycopg
import pytest

from pgkeel.agent.context import Context
from pgkeel.core.clock import SystemClock
from pgkeel.core.project import load
from pgkeel.stack import connect
from pgkeel.stack.backup_jobs import backup_jobs
from tests.agent.conftest import until
from tests.projects import Home


def test_a_second_up_changes_nothing(running: Home) -> None:
    until(lambda: running.data("status")["agent"]["leader"])
    before = running.data("status")
    files = {file: file.stat().st_mtime_ns for file in sorted(running.state.glob("secrets/*"))}

    running.ok("up")

    assert running.data("status") == before
    assert {file: file.stat().st_mtime_ns for file in sorted(running.state.glob("secrets/*"))} == files


def test_up_prints_what_runs_where_as_whom_and_what_to_type_next(running: Home) -> None:
    now = running.data("status")

    said = running.ok("up")

    assert f"PostgreSQL {now['postgres']['version']}" in said
    assert f"127.0.0.1:{now['postgres']['port']}/app" in said
    assert f"running as {now['account']}" in said
    assert f"127.0.0.1:{now['valkey']['port']}" in said
    assert f"{now['migrations']['applied']} applied" in said
    assert said.splitlines()[-1].startswith("Next: ")


def test_status_has_the_parts_that_scripts_rely_on(running: Home) -> None:
    data = running.data("status")

    assert set(data["postgres"]) == {"version", "major", "port", "socket", "running"}
    assert set(data["valkey"]) == {"version", "port", "running"}
    assert set(data["agent"]) == {"running", "leader"}
    assert set(data["migrations"]) == {"files", "known", "applied", "pending"}
    assert data["postgres"]["major"] == 17
    assert data["postgres"]["running"]
    assert data["valkey"]["running"]
    assert data["agent"]["running"]
    assert data["migrations"]["pending"] == 0
    assert data["migrations"]["known"]
    assert data["migrations"]["applied"] == data["migrations"]["files"] > 0


ROLES = {
    "owner": "pgkeel_migrator",
    "app": "pgkeel_app_a",
    "readonly": "pgkeel_readonly_a",
    "monitor": "pgkeel_monitor",
}


@pytest.mark.parametrize("role", ROLES)
async def test_the_url_works_as_it_is_in_libpq_psycopg_and_asyncpg(running: Home, role: str) -> None:
    url = running.ok("url", "--role", role)
    question = "SELECT session_user::text"

    program = running.ok("psql", "--role", role, "-Atc", question)
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    client = await asyncpg.connect(url)
    answer = await client.fetchval(question)
    await client.close()

    assert url.startswith(f"postgresql://{ROLES[role]}@127.0.0.1:")
    assert "sslmode=verify-full&sslrootcert=" in url
    assert {program, row[0] if row else None, answer} == {ROLES[role]}


def test_the_url_works_in_a_plain_psql(running: Home) -> None:
    memory = json.loads((running.state / "stack.json").read_text())
    psql = Path(memory["runtime"]["folder"]) / "psql"

    said = subprocess.run([psql, running.ok("url"), "-Atc", "SELECT 1"], capture_output=True, text=True, check=False)

    assert said.stdout.strip() == "1", said.stderr


def test_the_superuser_gets_in_on_the_socket_and_not_over_tcp(running: Home) -> None:
    port = running.data("status")["postgres"]["port"]
    password = running.secrets()["superuser"]

    assert running.ok("psql", "--role", "superuser", "-Atc", "SELECT current_user") == "postgres"
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        psycopg.connect(host="127.0.0.1", port=port, user="postgres", password=password, dbname="postgres", sslmode="require")


def test_tcp_without_tls_and_old_tls_are_refused(running: Home) -> None:
    url = running.ok("url")

    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(url.replace("sslmode=verify-full", "sslmode=disable"))
    with pytest.raises(psycopg.OperationalError, match=r"SSL error|protocol version"):
        psycopg.connect(url, ssl_max_protocol_version="TLSv1.1")


def test_the_socket_asks_for_a_password(running: Home) -> None:
    socket, port = (running.data("status")["postgres"][name] for name in ("socket", "port"))

    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(host=socket, port=port, user="postgres", dbname="postgres", passfile="/nonexistent")


def test_what_must_be_private_is(running: Home) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (running.state / "secrets").iterdir()}
    private = {name: mode for name, mode in modes.items() if name.endswith((".pgpass", ".key"))}

    assert set(private.values()) == {0o600}
    assert set(ROLES) | {"backup", "cache", "superuser", "valkey"} == set(running.secrets())
    assert stat.S_IMODE((running.state / "secrets").stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="the servers run as the caller when the caller is not root")
def test_the_servers_account_reads_neither_the_authority_s_key_nor_a_password_file(running: Home) -> None:
    from pgkeel.local import choose_account
    from pgkeel.local.launch import can

    account = choose_account()
    closed = [*(running.state / "secrets").glob("*.pgpass"), running.state / "secrets" / "authority.key"]

    assert len(closed) == len(running.secrets()) + 1
    assert not [file for file in closed if can(account, "-r", file)]
    assert not [
        folder for folder in (running.state, running.state / "secrets", running.state / "server") if can(account, "-w", folder)
    ]


def test_no_password_is_in_any_output_log_command_line_or_environment(running: Home) -> None:
    said = [
        running.run(*words.split())
        for words in ("up", "status", "status --json", "url", "url -o env", "url -o json", "config show")
    ]
    said.append(running.run("psql", "-c", "SELECT pg_sleep(0)"))
    texts = [text for done in said for text in (done.stdout, done.stderr)]
    logs = [
        file for file in running.state.rglob("*") if file.is_file() and file.parent.name != "secrets" and "data" not in file.parts
    ]
    texts += [_read(file) for file in logs]
    texts += [_read(process / name) for process in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")]

    for secret in running.secrets().values():
        assert not [text for text in texts if secret in text]


def _read(file: Path) -> str:
    """Return what a file says; nothing where it is gone, as what the agent replaces or a process that has ended."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def test_reveal_adds_the_password(running: Home) -> None:
    assert running.secrets()["app"] in running.ok("url", "--reveal")


SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements,auto_explain",
    "wal_level": "replica",
    "summarize_wal": "on",
    "log_min_duration_statement": "1s",
    "ssl": "on",
    "listen_addresses": "127.0.0.1",
    "data_checksums": "on",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
}


def test_what_the_design_wants_of_the_server_is_set(running: Home) -> None:
    values = {name: running.ok("psql", "--role", "superuser", "-Atc", f"SHOW {name}") for name in SETTINGS}

    assert values == SETTINGS


def test_the_image_waits_for_a_first_backup_and_does_not_fail(running: Home) -> None:
    project = load(running.root)
    jobs = {job.name: job for job in backup_jobs(project)}
    context = Context(
        lambda role: connect(project, role),
        job="backup_image",
        role="monitor",
        due=datetime.now(UTC),
        agent="test",
        clock=SystemClock(),
        settings=project.config.agent,
    )
    ran = jobs["backup_image"].run(context)
    assert ran["rolled"] is False
    assert "there is no backup" in str(ran["because"])


def test_commits_that_must_not_wait_for_a_missing_receiver_do_not_after_a_reset_either(running: Home) -> None:
    project = load(running.root, flags={"backup.rpo": "zero"})
    with connect(project) as owner:
        owner.execute("RESET ALL")
        assert owner.execute("SHOW synchronous_commit").fetchall() == [{"synchronous_commit": "local"}]


def test_a_changed_password_file_is_what_holds_after_the_next_up(running: Home) -> None:
    file = running.state / "secrets" / "readonly.pgpass"
    file.unlink()

    running.ok("up")

    assert running.ok("psql", "--role", "readonly", "-Atc", "SELECT 1") == "1"


def test_every_table_of_the_migrations_belongs_to_the_owner(running: Home) -> None:
    strangers = running.ok(
        "psql",
        "--role",
        "superuser",
        "-Atc",
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE nspname IN ('public', 'pgkeel') AND relowner <> 'pgkeel_owner'::regrole",
    )

    assert strangers == ""


def test_the_application_uses_the_reference_tables_and_of_our_own_only_the_outbox(running: Home) -> None:
    def app(statement: str) -> int:
        return running.run("psql", "--role", "app", "-v", "ON_ERROR_STOP=1", "-c", statement).returncode

    allowed = [
        "INSERT INTO users (email, email_bidx, password_hash) VALUES ('sealed', sha256('a'), '!'); SELECT new_id()",
        "SELECT pgkeel.outbox_append('mail')",
    ]
    denied = ["SELECT * FROM pgkeel.outbox", "SELECT * FROM pgkeel.migrations", "CREATE TABLE mine ()", "DROP TABLE users"]

    assert [app(statement) for statement in allowed] == [0, 0]
    assert [app(statement) for statement in denied] == [1, 1, 1, 1]
