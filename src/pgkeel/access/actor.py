"""Who writes: the application's user, told to the audit log in the statement of the write itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pgkeel.core.errors import UsageError

__all__ = ["SIGNATURE", "as_actor", "current_actor"]

SIGNATURE = "set_config('pgkeel.actor', ${place}, true)"
"""Where a trigger finds the actor, until the transaction ends: nothing of it stays with the connection."""

_LONGEST = 200
_current: ContextVar[str | None] = ContextVar("pgkeel_actor", default=None)


@contextmanager
def as_actor(actor: str) -> Iterator[None]:
    """Sign the writes of a block for the audit log, in its task and those that it starts: `with db.as_actor("user:42"): …`.

    A write of a repository says so in its own statement, a unit of work when it begins, in one more round trip. Hand-written SQL
    outside of one says it itself: `set_config('pgkeel.actor', %(actor)s, true)`.

    Raises:
        UsageError: It is no text of 1 to 200 characters without NUL.
    """
    if not isinstance(actor, str) or not 0 < len(actor) <= _LONGEST or "\0" in actor or not _is_unicode(actor):
        raise UsageError(f"an actor is a text of 1 to {_LONGEST} characters", hint='db.as_actor("user:42")')
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def current_actor() -> str | None:
    """Return who writes here; None where nobody said."""
    return _current.get()


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
