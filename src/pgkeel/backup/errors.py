"""What can go wrong with a repository and with what it holds."""

from pgkeel.core.errors import ConfigError, KeelError, Refused, Unreachable

__all__ = ["Damaged", "KeyTaken", "ObjectLocked", "RepositoryFailed", "RepositoryUnreachable", "WrongKey"]


class RepositoryUnreachable(Unreachable):
    """The repository cannot be reached, or refuses the login."""

    code = "repository_unreachable"


class RepositoryFailed(KeelError):
    """The repository could not store or give an object."""

    code = "repository_failed"


class ObjectLocked(Refused):
    """The repository does not give this object up yet: it is locked for a time."""

    code = "object_locked"


class KeyTaken(Refused):
    """Another object lies under this key; nothing is ever overwritten."""

    code = "key_taken"


class Damaged(KeelError):
    """An object is missing, truncated or not what was stored."""

    code = "damaged"
    exit_code = 1


class WrongKey(ConfigError):
    """No identity opens this object, or a recipient is not an age key."""

    code = "wrong_key"
