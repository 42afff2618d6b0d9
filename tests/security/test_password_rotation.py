import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgkeel.core.errors import Unreachable, UsageError
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, Runtime
from pgkeel.postgres import connect
from pgkeel.security import ensure_passwords, ensure_roles
from pgkeel.security.roles.rotation import Half, plan_turn, read_halves, settle, turn
from pgkeel.stack.password import Passfile
from pgkeel.testing.servers import scratch_cluster
from tests.agent.conftest import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
A, B = "pgkeel_app_a", "pgkeel_app_b"


@pytest.fixture(scope="module")
def server(runtime: Runtime, account: Account) -> Iterator[Cluster]:
    with scratch_cluster(runtime=runtime, account=account, settings={"log_statement": "all"}) as cluster:
        with connect(cluster.superuser_url()) as superuser:
            ensure_roles(superuser)
            superuser.execute(f"GRANT CONNECT ON DATABASE postgres TO {A}, {B}")
        yield cluster


@pytest.fixture
def file(server: Cluster, tmp_path: Path) -> Passfile:
    """A password file whose first login has that password on the server; nothing was rotated yet."""
    made = Passfile(tmp_path / "app.pgpass")
    made.write([(A, Secret.generate())])
    with connect(server.superuser_url()) as superuser:
        superuser.execute(f"ALTER ROLE {A} VALID UNTIL 'infinity'; ALTER ROLE {B} PASSWORD NULL VALID UNTIL 'infinity'")
        ensure_passwords(superuser, dict(made.read()))
    return made


def gets_in(server: Cluster, login: str, password: Secret) -> bool:
    with contextlib.suppress(Unreachable):
        connect(server.superuser_url().with_login(login, password)).close()
        return True
    return False


def rotate(server: Cluster, file: Passfile, **options: object) -> str:
    with connect(server.superuser_url()) as superuser:
        planned = plan_turn("app", file.logins, read_halves(superuser, "app"), **{"grace": HOUR, **options})  # type: ignore[arg-type]
        turn(superuser, planned, file)
    return planned.step


def half(login: str, hours: int | None) -> Half:
    return Half(login, None if hours is None else NOW + hours * HOUR, 0, NOW)


@pytest.mark.parametrize(
    ("known", "end_of_a", "end_of_b", "step", "login"),
    [
        ([A], None, None, "switch", B),  # the first rotation, or one that was killed before the file was written
        ([B, A], None, None, "finish", B),  # killed before the old password got its end
        ([B, A], 1, None, "wait", B),
        ([B, A], -1, None, "switch", A),
        ([], None, None, "switch", B),
    ],
)
def test_what_a_rotation_does_follows_from_the_file_and_the_server(
    known: list[str], end_of_a: int | None, end_of_b: int | None, step: str, login: str
) -> None:
    planned = plan_turn("app", known, {A: half(A, end_of_a), B: half(B, end_of_b)}, grace=HOUR)

    assert (planned.step, planned.login) == (step, login)


def test_the_password_file_of_somebody_else_is_refused() -> None:
    with pytest.raises(UsageError, match="somebody"):
        plan_turn("app", ["somebody"], {A: half(A, None), B: half(B, None)}, grace=HOUR)


def test_both_passwords_get_in_for_the_grace_and_then_only_the_new_one(server: Cluster, file: Passfile) -> None:
    ((_, old),) = file.read()
    assert rotate(server, file) == "switch"
    (used, new), before = file.read()

    assert (used, before) == (B, (A, old))
    assert gets_in(server, A, old)
    assert gets_in(server, B, new)
    assert rotate(server, file) == "wait"
    assert rotate(server, file, grace=timedelta(), is_urgent=True) == "switch"
    assert not gets_in(server, A, old)
    assert not gets_in(server, B, new)
    assert gets_in(server, *file.read()[0])


def test_a_recovered_server_that_forgot_the_rotation_is_settled(server: Cluster, file: Passfile) -> None:
    rotate(server, file)
    with connect(server.superuser_url()) as superuser:
        superuser.execute(f"ALTER ROLE {A} VALID UNTIL 'infinity'; ALTER ROLE {B} VALID UNTIL '2000-01-01'")
        settle(superuser, "app", file.logins, grace=timedelta())

    assert gets_in(server, *file.read()[0])
    assert not gets_in(server, *file.read()[1])


def test_a_rotation_that_is_killed_at_any_moment_locks_nobody_out(server: Cluster, file: Passfile) -> None:
    url = server.superuser_url().reveal()
    for _ in range(3):
        command = [sys.executable, "-m", "tests.security.run_passwords", url, str(file.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.1))
            process.kill()
        assert gets_in(server, *file.read()[0])
        rotate(server, file)
        assert gets_in(server, *file.read()[0])
        with connect(server.superuser_url()) as superuser:
            halves = read_halves(superuser, "app")
        assert [login for login, half in halves.items() if half.valid_until is None] == [file.logins[0]]


def test_no_password_and_no_verifier_reaches_the_log(server: Cluster, file: Passfile) -> None:
    rotate(server, file)
    until(lambda: "pg_stat_activity" in log_of(server))  # the server writes it down a moment later
    log = log_of(server)

    assert "SCRAM-SHA-256$" not in log
    assert not [login for login, password in file.read() if password.reveal() in log]


def log_of(server: Cluster) -> str:
    return "".join(text.read_text() for text in Path(server.log).glob("*"))


def test_what_else_stands_in_a_teams_password_file_is_kept_and_so_is_whose_it_is(
    server: Cluster, file: Passfile, account: Account
) -> None:
    ours = file.path.read_text()
    others = ["# the team's", r"other.example:5432:*:report\:ing:pa\\ss\:word", "*:*:*:pgkeel_migrator:x"]
    file.path.write_text(ours + "\n".join(others) + "\n")
    if os.geteuid() == 0:
        os.chown(file.path, account.uid, account.gid)
    before = file.path.stat()

    rotate(server, file)
    lines = file.path.read_text().splitlines()

    assert [line.split(":")[3] for line in lines[:2]] == [B, A]
    assert sorted(lines[2:]) == sorted(others)
    assert (file.path.stat().st_uid, file.path.stat().st_mode & 0o777) == (before.st_uid, 0o600)
    assert gets_in(server, *file.read()[0])


def test_a_login_that_is_rotated_in_place_leaves_the_lines_of_others(server: Cluster, tmp_path: Path) -> None:
    file = Passfile(tmp_path / ".pgpass")
    file.path.write_text("db.example:5432:shop:alice:hers\n*:*:*:pgkeel_migrator:old\n")
    with connect(server.superuser_url()) as superuser:
        turn(superuser, plan_turn("owner", file.logins, {}, grace=HOUR), file)

    assert file.logins == ["pgkeel_migrator", "alice"]
    assert file.path.read_text().splitlines()[1] == "db.example:5432:shop:alice:hers"


def test_a_server_that_would_hash_by_md5_still_gets_scram(server: Cluster, file: Passfile) -> None:
    with connect(server.superuser_url()) as superuser:
        superuser.execute("ALTER ROLE postgres SET password_encryption = 'md5'")
    try:
        rotate(server, file)
        with connect(server.superuser_url()) as superuser:
            ensure_passwords(superuser, {A: Secret("another one")})
            kept = superuser.execute(
                "SELECT DISTINCT left(rolpassword, 13) AS scheme FROM pg_authid WHERE rolname = ANY (%s)", ([A, B],)
            ).fetchall()
    finally:
        with connect(server.superuser_url()) as superuser:
            superuser.execute("ALTER ROLE postgres RESET password_encryption")

    assert kept == [{"scheme": "SCRAM-SHA-256"}]


def test_settling_with_the_password_file_of_somebody_else_is_refused_in_words(server: Cluster) -> None:
    with connect(server.superuser_url()) as superuser, pytest.raises(UsageError, match="names postgres"):
        settle(superuser, "app", ["postgres"], grace=HOUR)


def test_the_file_is_private(file: Passfile) -> None:
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert Url.parse(f"postgresql://x@/y?passfile={file.path}").options["passfile"] == str(file.path)
