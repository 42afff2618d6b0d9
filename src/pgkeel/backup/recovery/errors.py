"""What can keep a recovery from being right; each is found before anybody connects to what was restored."""

from pgkeel.core.errors import KeelError, NotFound, Refused

__all__ = [
    "AmbiguousTarget",
    "NoBackup",
    "NotRestorable",
    "TablespaceMade",
    "TargetNotFound",
    "VerificationFailed",
    "WalDamaged",
    "WalMissing",
]


class TargetNotFound(NotFound):
    """Nothing in the WAL is what was asked for."""

    code = "target_not_found"


class AmbiguousTarget(Refused):
    """Several transactions are what was asked for."""

    code = "ambiguous_target"


class NotRestorable(Refused):
    """No backup leads to this point."""

    code = "not_restorable"


class NoBackup(NotRestorable):
    """Nothing of this cluster has been backed up yet."""


class TablespaceMade(NotRestorable):
    """The WAL makes a tablespace, and replaying that would write to the place of the real one."""


class WalMissing(Refused):
    """A WAL segment that the recovery needs is not there."""

    code = "wal_missing"


class WalDamaged(Refused):
    """WAL that the recovery needs is not as it was written."""

    code = "wal_damaged"


class VerificationFailed(KeelError):
    """What was restored, or what lies in a repository, is not what was there."""

    code = "verification_failed"
    exit_code = 1
