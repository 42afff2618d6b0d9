"""How long logins last, how often they may be tried, and what the callers of the identity get back."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from pgkeel.core.limits import Rate
from pgkeel.core.secret import Secret

__all__ = ["Account", "Addressee", "FoundSession", "Login", "Policy", "Session"]


class Policy(msgspec.Struct, frozen=True):
    """The lifetimes and limits.

    Attributes:
        idle: A session ends so long after it was last used.
        absolute: A session ends so long after the login, used or not.
        reset: How long a reset token is good.
        verify: How long a verification token is good.
        attempts: Logins and resets by address.
        guesses: Uses of tokens sent by mail, by all callers together.
    """

    idle: timedelta = timedelta(days=7)
    absolute: timedelta = timedelta(days=30)
    reset: timedelta = timedelta(hours=1)
    verify: timedelta = timedelta(days=2)
    attempts: Rate = Rate(10, timedelta(minutes=5))
    guesses: Rate = Rate(100, timedelta(minutes=1))

    def __post_init__(self) -> None:
        """Refuse lifetimes that end nothing, or everything."""
        if not timedelta() < self.idle <= self.absolute or min(self.reset, self.verify) <= timedelta():
            raise ValueError("a lifetime must be above zero, and idle no longer than absolute")


class Login(msgspec.Struct, frozen=True):
    """A new session.

    Attributes:
        token: For the browser's cookie; it is shown this once.
    """

    token: Secret
    session_id: UUID
    user_id: UUID
    expires_at: datetime


class Session(msgspec.Struct, frozen=True):
    """A valid session."""

    id: UUID
    user_id: UUID
    expires_at: datetime


class FoundSession(msgspec.Struct, frozen=True):
    """A valid session, and where its end is to be moved to, if it is."""

    id: UUID
    user_id: UUID
    expires_at: datetime
    slides_to: datetime | None


class Account(msgspec.Struct, frozen=True):
    """What a login needs to know of a user; its hash never prints."""

    id: UUID
    password_hash: str
    is_active: bool

    def __repr__(self) -> str:
        """Print who, not the hash."""
        return f"Account(id={self.id})"


class Addressee(msgspec.Struct, frozen=True):
    """To whom a token is to be sent; the address lies sealed."""

    user_id: UUID
    email: bytes
