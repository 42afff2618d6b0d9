"""Run psql as a role: the address in libpq's variables, the password in a file, nothing secret in argv or environment."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgkeel.core.errors import KeelError, NotFound
from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime, runtime_folder
from pgkeel.security.names import RoleWord
from pgkeel.stack.connection import login_url

__all__ = ["environment_of", "run_psql"]

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
_FOREIGN = {"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", *_VARIABLES.values()}


def environment_of(url: Url) -> dict[str, str]:
    """Return libpq's environment variables for an address; those that libpq has none for are left out."""
    return {_VARIABLES[name]: value for name, value in url.keywords().items() if name in _VARIABLES}


def run_psql(project: Project, role: RoleWord, arguments: Sequence[str]) -> int:
    """Run psql in this terminal and return its exit code.

    Raises:
        NotFound: Neither the embedded runtime nor PATH has a psql.
    """
    url = login_url(project, role)
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}  # noqa: TID251 - psql is the user's
    with _password_file(url) as extra:
        variables = {**inherited, **environment_of(url.without_password()), **extra}
        return _wait(subprocess.Popen([_program(project), *arguments], env=variables))


def _program(project: Project) -> Path:
    try:
        config = project.config.local
        return find_runtime(config.postgres, account=choose_account(config.run_as), folder=runtime_folder()).program("psql")
    except KeelError as err:
        found = shutil.which("psql")
        if found is None:
            raise NotFound("there is no psql", hint='pip install "pgkeel[local]"') from err
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
