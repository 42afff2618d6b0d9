"""What a transaction tells the world once it is kept."""

from collections.abc import Mapping

import msgspec

__all__ = ["Event"]


class Event(msgspec.Struct, frozen=True):
    """A message for the handlers that `[agent] handlers` names.

    Attributes:
        topic: Who it is for, words with dots: `order.paid`.
        key: What it is about: those of one topic and key arrive in the order of their commits. "" for nothing in particular.
        payload: What is to be known; it is written as JSON.
    """

    topic: str
    key: str = ""
    payload: Mapping[str, object] = {}
