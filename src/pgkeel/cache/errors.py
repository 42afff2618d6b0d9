"""What can go wrong with a cache server; core's `Unreachable` when it does not answer."""

from pgkeel.core import errors

__all__ = ["CacheUnsuitable", "CommandRefused", "LockHeld", "LoginRefused"]


class LoginRefused(errors.ConfigError):
    """The cache server refused the login."""

    code = "cache_login_refused"


class CacheUnsuitable(errors.ConfigError):
    """The cache server is too old, or a replica."""

    code = "cache_unsuitable"


class LockHeld(errors.Refused):
    """Somebody else holds the lock."""

    code = "cache_lock_held"


class CommandRefused(errors.KeelError):
    """The cache server refused a command.

    Attributes:
        kind: The first word of its answer: `OOM`, `WRONGTYPE`, `NOPERM`, `NOSCRIPT`.
    """

    code = "cache_command_refused"

    def __init__(self, message: str = "", *, hint: str = "", kind: str = "") -> None:
        """Keep the server's word."""
        super().__init__(message, hint=hint)
        self.kind = kind
