"""Passwords live in libpq password files: one a login, 0600, in a folder that only the caller can enter."""

from pathlib import Path

from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.core.secret import Secret

__all__ = ["ensure_password", "read_password"]


def ensure_password(file: Path, login: str) -> Secret:
    """Return the login's password, made and written down first when there is none.

    The line has `*` for host, port and database, so that it stays true when a port changes.
    """
    if file.is_file() and (password := _password_in(file)) is not None:
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)  # libpq reads no file that others may read, and one that was put back may be
        return password
    password = Secret.generate()
    write_whole(file, f"*:*:*:{login}:{password.reveal()}\n".encode())
    return password


def read_password(file: Path) -> Secret:
    """Return the password that a file holds.

    Raises:
        ConfigError: The file is missing or is no password file.
    """
    password = _password_in(file) if file.is_file() else None
    if password is None:
        raise ConfigError(f"the password file {file} is missing or broken", hint="`pgkeel up` makes a new one")
    return password


def _password_in(file: Path) -> Secret | None:
    parts = file.read_text(encoding="utf-8").strip().split(":")
    return Secret(parts[4]) if len(parts) == 5 and parts[4] else None
