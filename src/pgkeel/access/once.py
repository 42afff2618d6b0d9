"""What is kept of work that is done once: its result as JSON."""

from typing import TypeVar

import msgspec

from pgkeel.core.errors import UsageError

__all__ = ["Begun", "as_json", "from_json"]

T = TypeVar("T")


class Begun(msgspec.Struct, frozen=True):
    """What the server says about an idempotency key.

    Attributes:
        is_new: Whether the work is ours.
        result: What came of it before, as JSON.
    """

    is_new: bool
    result: str | None


def as_json(value: object) -> str:
    """Return a value as JSON.

    Raises:
        UsageError: It cannot be written down.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        raise UsageError(
            "the value cannot be written as JSON", hint="use texts, numbers, dates, UUIDs, structs and lists"
        ) from None


def from_json(text: str | None, into: type[T]) -> T:
    """Return the value.

    Raises:
        UsageError: It is of another type by now.
    """
    try:
        return msgspec.json.decode(text or "null", type=into)
    except msgspec.ValidationError:
        raise UsageError("what was kept is of another type", hint="keep the type, or use a new key") from None
