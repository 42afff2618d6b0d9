"""What can go wrong with migrations; the exit code comes from the branch of `core.errors` that each hangs on.

BadMigration        2  the file cannot be run; nothing was
MigrationFailed     5  the server refused a statement of the file; its unit left nothing behind
BackfillFailed      5  a batch was refused; those before it are kept
EditedMigration     4  the file was changed after it was applied
OutOfOrder          4  a pending file is older than the newest applied one
NotOwned            4  a table is there that no migration made
DataLoss            4  a Down would lose rows
Irreversible        4  there is no Down
HalfApplied         4  an Up stopped between two units and must be finished first
BackfillMissing     4  the file needs a backfill that has not finished
NotReady            4  a migration found rows that its backfill has not reached
TransactionPooler   4  the connection goes through a pooler that takes sessions apart
ReadOnlyServer      4  the server is a standby or read-only
RunnerBusy          4  another runner holds the lock (LockNotObtained)
MigrationBlocked    4  a statement did not get its table's lock (LockNotObtained)
"""

from pgkeel.core.errors import KeelError, LockNotObtained, Refused, UsageError

__all__ = [
    "BackfillFailed",
    "BackfillMissing",
    "BadMigration",
    "DataLoss",
    "EditedMigration",
    "HalfApplied",
    "Irreversible",
    "MigrationBlocked",
    "MigrationFailed",
    "NotOwned",
    "NotReady",
    "OutOfOrder",
    "ReadOnlyServer",
    "RunnerBusy",
    "TransactionPooler",
]


class BadMigration(UsageError):
    """The file cannot be run; nothing was."""

    code = "bad_migration"


class MigrationFailed(KeelError):
    """The server refused a statement of the file; its unit left nothing behind."""

    code = "migration_failed"


class BackfillFailed(KeelError):
    """A batch was refused; those before it are kept."""

    code = "backfill_failed"


class NotReady(Refused):
    """A migration found rows that are not ready for it; its unit left nothing behind."""

    code = "not_ready"


class EditedMigration(Refused):
    """The file was changed after it was applied."""

    code = "edited_migration"


class OutOfOrder(Refused):
    """A pending file is older than the newest applied one."""

    code = "out_of_order"


class NotOwned(Refused):
    """A table is there that no migration made."""

    code = "not_owned"


class DataLoss(Refused):
    """A Down would lose rows."""

    code = "data_loss"


class Irreversible(Refused):
    """There is no Down."""

    code = "irreversible"


class HalfApplied(Refused):
    """An Up stopped between two units and must be finished first."""

    code = "half_applied"


class BackfillMissing(Refused):
    """The file needs a backfill that has not finished."""

    code = "backfill_missing"


class TransactionPooler(Refused):
    """The connection goes through a pooler that takes sessions apart."""

    code = "transaction_pooler"


class ReadOnlyServer(Refused):
    """The server is a standby or read-only."""

    code = "read_only_server"


class RunnerBusy(LockNotObtained):
    """Another runner holds the lock."""

    code = "runner_busy"


class MigrationBlocked(LockNotObtained):
    """A statement did not get its table's lock before the deadline."""

    code = "migration_blocked"
