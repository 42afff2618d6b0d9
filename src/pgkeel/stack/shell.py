"""Run psql as a role: the address in libpq's variables, the password in a file, nothing secret in argv or environment."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgkeel.core.errors import ConfigError, KeelError, NotFound
from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime, runtime_folder
from pgkeel.security.names import RoleWord
from pgkeel.stack.connection import login_url

__all__ = ["ProgramFailed", "environment_of", "output_of", "run_psql"]

# libpq keyword → environment variable, for those that our addresses use (PostgreSQL manual, 32.15)
_VARIABLES = {
    "user": "PGUSER",
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "gssencmode": "PGGSSENCMODE",
}
# where an address leads besides, and how careful it is; the caller's own carefulness is left to psql
_FURTHER = {
    "hostaddr": "PGHOSTADDR",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
_FOREIGN = {"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", *_VARIABLES.values()}


class ProgramFailed(KeelError):
    """A program of PostgreSQL said no."""

    code = "program_failed"


def environment_of(url: Url) -> dict[str, str]:
    """Return libpq's environment variables for an address; those that libpq has none for are left out."""
    known = _VARIABLES | _FURTHER
    return {known[name]: value for name, value in url.keywords().items() if name in known}


def run_psql(project: Project, role: RoleWord, arguments: Sequence[str]) -> int:
    """Run psql in this terminal and return its exit code.

    Raises:
        NotFound: Neither the embedded runtime nor PATH has a psql.
    """
    with _variables(project, role) as variables:
        return _wait(subprocess.Popen([_program(project, "psql"), *arguments], env=variables))


def output_of(project: Project, role: RoleWord, program: str, arguments: Sequence[str], *, major: str | None = None) -> str:
    """Run a client program to its end and return what it printed.

    Args:
        project: Whose database it connects to.
        role: As whom.
        program: For example `pg_dump`.
        arguments: Its arguments.
        major: Of the program; the project's own when not given.

    Raises:
        NotFound: Neither the embedded runtime nor PATH has it.
        ProgramFailed: It said no.
    """
    with _variables(project, role) as variables:
        argv = [str(_program(project, program, major)), *arguments]
        done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{program} ended with {done.returncode}"]
        raise ProgramFailed(lines[0], hint="; ".join(lines[1:3]))
    return done.stdout


@contextmanager
def _variables(project: Project, role: RoleWord) -> Iterator[dict[str, str]]:
    url = login_url(project, role)
    if url.unknown_options:  # psql would be led to whatever server is the default here
        message = f"the database address is no address: invalid connection option {url.unknown_options[0]!r}"
        raise ConfigError(message, hint="leave the option out, or correct it")
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}  # noqa: TID251 - psql is the user's
    with _password_file(url) as extra:
        yield {**inherited, **environment_of(url.without_password()), **extra}


def _program(project: Project, name: str, major: str | None = None) -> Path:
    config = project.config.local
    try:
        runtime = find_runtime(major or config.postgres, account=choose_account(config.run_as), folder=runtime_folder())
        return runtime.program(name)
    except KeelError as err:
        found = shutil.which(name)
        if found is None:
            raise NotFound(f"there is no {name}", hint='pip install "pgkeel[local]"') from err
        return Path(found)


@contextmanager
def _password_file(url: Url) -> Iterator[Mapping[str, str]]:
    """Hold the password of an external address in a file that lives as long as psql does."""
    if url.password is None:
        yield {}
        return
    with tempfile.NamedTemporaryFile("w", prefix="pgkeel-", encoding="utf-8") as file:  # 0600
        escaped = url.password.reveal().replace("\\", r"\\").replace(":", r"\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield {"PGPASSFILE": file.name}


def _wait(shell: "subprocess.Popen[bytes]") -> int:
    """Wait for psql; Ctrl-C is its business, not ours."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return shell.wait()
    finally:
        signal.signal(signal.SIGINT, before)
