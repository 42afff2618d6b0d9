"""Every error that pgkeel raises on purpose, so that a caller can answer one kind and a user reads what to type next.

KeelError                       5  unexpected failure
├── UsageError                  2  wrong usage
│   └── ConfigError             2  wrong configuration
├── Unreachable                 3  the database, cache or agent cannot be reached
├── Refused                     4  refused for safety, nothing was changed
│   └── LockNotObtained         4  another session holds what this step needs
└── NotFound                    2  the object that was named does not exist

Sections add their own subclasses beside the code that raises them; the exit code comes from the branch they hang on.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["ConfigError", "KeelError", "LockNotObtained", "NotFound", "Refused", "Unreachable", "UsageError"]


class KeelError(Exception):
    """Something failed that pgkeel did not expect.

    Args:
        message: What happened, and to which object. Defaults to the class's docstring.
        hint: What to type next.
        data: Machine-readable detail for `--json` (`error.data`).
    """

    code: ClassVar[str] = "unexpected"
    exit_code: ClassVar[int] = 5

    def __init__(self, message: str = "", *, hint: str = "", data: Mapping[str, Any] | None = None) -> None:
        """Fall back to the docstring, so that every class explains itself."""
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        self.data = dict(data or {})
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """Return the `error` object of `--json`."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        return {**shown, "data": self.data} if self.data else shown


class UsageError(KeelError):
    """The command or call was wrong."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """The configuration is wrong."""

    code = "config"


class NotFound(UsageError):
    """The object that was named does not exist."""

    code = "not_found"


class Unreachable(KeelError):
    """The database cannot be reached."""

    code = "unreachable"
    exit_code = 3


class Refused(KeelError):
    """Refused for safety; nothing was changed."""

    code = "refused"
    exit_code = 4


class LockNotObtained(Refused):
    """Another session holds the lock that this step needs."""

    code = "lock_not_obtained"
