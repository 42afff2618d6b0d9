"""Passwords live in libpq password files: one a role, 0600, in a folder that only the caller can enter.

A file holds the login in use in its first line, and after a rotation the one before it, which is good until its grace has passed.
"""

from collections.abc import Sequence
from pathlib import Path

from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.core.secret import Secret

__all__ = ["Passfile", "ensure_password", "login_in", "read_password"]


class Passfile:
    """A password file; the lines have `*` for host, port and database, so that they stay true when a port changes."""

    def __init__(self, path: Path) -> None:
        """Name it; it may be missing."""
        self.path = path

    def read(self) -> list[tuple[str, Secret]]:
        """Return logins and passwords, the one in use first."""
        if not self.path.is_file():
            return []
        lines = (line.split(":") for line in self.path.read_text(encoding="utf-8").splitlines())
        return [(parts[3], Secret(parts[4])) for parts in lines if len(parts) == 5 and parts[3] and parts[4]]

    def write(self, entries: Sequence[tuple[str, Secret]]) -> None:
        """Replace all of it at once."""
        write_whole(self.path, "".join(f"*:*:*:{login}:{password.reveal()}\n" for login, password in entries).encode())

    @property
    def logins(self) -> list[str]:
        """The logins that it has, the one in use first."""
        return [login for login, _ in self.read()]


def ensure_password(file: Path, login: str) -> Secret:
    """Return the password in use, made and written down for `login` first when there is none."""
    known = Passfile(file).read()
    if known:
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)  # libpq reads no file that others may read, and one that was put back may be
        return known[0][1]
    password = Secret.generate()
    Passfile(file).write([(login, password)])
    return password


def login_in(file: Path, usual: str) -> str:
    """Return the login in use: the first of its password file, or the usual one where there is none."""
    return next(iter(Passfile(file).logins), usual)


def read_password(file: Path) -> Secret:
    """Return the password in use that a file holds.

    Raises:
        ConfigError: The file is missing or is no password file.
    """
    known = Passfile(file).read()
    if not known:
        raise ConfigError(
            f"the password file {file} is missing or broken", hint="`pgkeel up` makes a new one; a line is *:*:*:LOGIN:PASSWORD"
        )
    return known[0][1]
