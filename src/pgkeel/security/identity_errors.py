"""Why an identity was refused; none says more than the caller may tell a stranger, or holds an address, password or token.

Refused
├── InvalidCredentials   address or password is wrong, or the account cannot log in: which of them, nobody is told
├── InvalidToken         a session or mailed token is unknown, used, expired or revoked
├── AlreadyRegistered    the address or the username belongs to an account
└── TooManyAttempts      the limit is reached (`wait`)
"""

from datetime import timedelta

from pgkeel.core.errors import Refused
from pgkeel.core.units import format_duration

__all__ = ["AlreadyRegistered", "InvalidCredentials", "InvalidToken", "TooManyAttempts"]


class InvalidCredentials(Refused):
    """The address or the password is wrong."""

    code = "invalid_credentials"


class InvalidToken(Refused):
    """The token is not valid."""

    code = "invalid_token"


class AlreadyRegistered(Refused):
    """The address or the username belongs to an account."""

    code = "already_registered"


class TooManyAttempts(Refused):
    """Too many attempts.

    Attributes:
        wait: When the next one is allowed.
    """

    code = "too_many_attempts"

    def __init__(self, wait: timedelta) -> None:
        """Say how long to wait."""
        super().__init__(hint=f"try again in {format_duration(wait)}", data={"seconds": wait.total_seconds()})
        self.wait = wait
