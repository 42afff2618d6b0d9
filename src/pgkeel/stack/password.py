"""Passwords live in libpq password files: one a role, 0600, in a folder that only the caller can enter.

A file holds the login in use in its first line, and after a rotation the one before it, which is good until its grace has passed.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.core.secret import Secret

__all__ = ["Passfile", "ensure_password", "login_in", "read_password"]


_PART = re.compile(r"(?:^|:)((?:[^:\\]|\\.)*)")


class _Line(NamedTuple):
    text: str
    login: str = ""
    password: Secret | None = None


class Passfile:
    """A password file; our lines have `*` for host, port and database, so that they stay true when a port changes."""

    def __init__(self, path: Path) -> None:
        """Name it; it may be missing."""
        self.path = path

    def read(self) -> list[tuple[str, Secret]]:
        """Return logins and passwords, the one in use first."""
        return [(line.login, line.password) for line in self._lines() if line.password is not None]

    def write(self, entries: Sequence[tuple[str, Secret]]) -> None:
        """Replace all lines of these logins at once; what else stands in the file stays, and the file stays its owner's."""
        there = self._lines()
        written = {(line.login, line.password): line.text for line in there}
        ours = [
            written.get(entry) or ":".join(["*", "*", "*", *map(_escaped, (entry[0], entry[1].reveal()))]) for entry in entries
        ]
        logins = {login for login, _ in entries}
        text = "".join(f"{line}\n" for line in (*ours, *(line.text for line in there if line.login not in logins)))
        write_whole(self.path, text.encode(), keeps_owner=True)

    def _lines(self) -> list[_Line]:
        """Return the lines that libpq understands, comments among them."""
        if not self.path.is_file():
            return []
        return [found for text in self.path.read_text(encoding="utf-8").splitlines() if (found := _line(text)) is not None]

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


def _line(text: str) -> _Line | None:
    """Return a line, None for what is neither an entry nor a comment (libpq: a backslash takes the next letter as it is)."""
    if text.startswith("#"):
        return _Line(text)
    parts = [re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(text)]
    if len(parts) != 5 or not parts[3] or not parts[4]:
        return None
    return _Line(text, parts[3], Secret(parts[4]))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace(":", r"\:")
