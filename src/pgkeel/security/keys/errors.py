"""Why a change of the key ring was refused."""

from pgkeel.core.errors import NotFound, Refused

__all__ = ["KeyInUse", "NoSuchKey", "TooEarly", "WrongState"]


class NoSuchKey(NotFound):
    """There is no such key."""

    code = "no_such_key"


class WrongState(Refused):
    """The key is not in the state that this step begins with."""

    code = "wrong_key_state"


class TooEarly(Refused):
    """Not every process has read the keys since the last change."""

    code = "too_early"


class KeyInUse(Refused):
    """Something still needs the key."""

    code = "key_in_use"
