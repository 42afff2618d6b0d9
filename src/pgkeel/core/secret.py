"""Values that must never be printed: they have no readable form unless somebody asks for it by name."""

import hmac
import os
import secrets
from pathlib import Path
from typing import NoReturn

from pgkeel.core.errors import ConfigError

__all__ = ["Secret"]


class Secret:
    """A string that prints as `***`, cannot be pickled and compares in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep the value; `reveal()` is the only way to it."""
        self._value = value

    @classmethod
    def generate(cls, bytes_of_entropy: int = 32) -> "Secret":
        """Return a new random secret of URL-safe characters."""
        return cls(secrets.token_urlsafe(bytes_of_entropy))

    @classmethod
    def from_reference(cls, reference: str, *, folder: Path | None = None) -> "Secret":
        """Return the secret that `env:NAME` or `file:PATH` points to; a relative path starts at `folder`.

        Raises:
            ConfigError: The reference has another form, or points to nothing that can be read.
        """
        kind, _, name = reference.partition(":")
        if kind == "env" and name in os.environ:
            return cls(os.environ[name])
        if kind == "file" and name:
            return cls(_content((folder or Path.cwd()) / name))
        if kind == "env":
            raise ConfigError(f"the secret reference env:{name} points to nothing", hint=f"export {name}, or correct it")
        raise ConfigError("a secret must be given as a reference", hint="write env:NAME or file:PATH")

    def reveal(self) -> str:
        """Return the clear value."""
        return self._value

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        """Hash by identity of the value."""
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        """Print nothing of the value."""
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, so that no cache or log handler writes the value down."""
        raise TypeError("a Secret cannot be pickled")


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip("\r\n")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "not UTF-8"
        raise ConfigError(f"the secret file {file} cannot be read: {reason}", hint="correct the path or its permissions") from err
