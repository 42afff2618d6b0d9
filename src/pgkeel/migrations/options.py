"""What a caller asks of a run, and what it answers."""

from datetime import timedelta

import msgspec

from pgkeel.core.config import MigrationsConfig

__all__ = ["DEFAULTS", "Options", "Outcome", "Step"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run.

    Attributes:
        to: `up`: the last version to apply. `down`: the version that stays; everything newer in its source is reverted.
        dry_run: Plan and print, write nothing, take no lock.
        lock_timeout: How long a transactional statement waits for a table: the worst stall another session can see.
        deadline: How long a unit is tried again after lock timeouts.
        wait: How long to wait for another runner.
        allow_out_of_order: Apply a file that is older than the newest applied one.
        allow_data_loss: Revert although rows are lost.
        adopt_nothing: Refuse a `CREATE TABLE` whose table is there already without a migration that made it.
        search_path: The schemas in which unqualified names are found, the first one takes new objects.
    """

    to: str | None = None
    dry_run: bool = False
    lock_timeout: timedelta = MigrationsConfig().lock_timeout
    deadline: timedelta = MigrationsConfig().deadline
    wait: timedelta = MigrationsConfig().wait
    allow_out_of_order: bool = False
    allow_data_loss: bool = False
    adopt_nothing: bool = True
    search_path: tuple[str, ...] = ("public",)

    @classmethod
    def of(cls, config: MigrationsConfig) -> "Options":
        """Return the options with the project's timeouts."""
        return cls(lock_timeout=config.lock_timeout, deadline=config.deadline, wait=config.wait)


DEFAULTS = Options()


class Step(msgspec.Struct, frozen=True):
    """One migration that was, or under `dry_run` would be, applied or reverted.

    Attributes:
        direction: `up` or `down`.
        units: How many units this run executed; fewer than the file has when it finished an interrupted one.
        sql: What the units hold, in order.
        took: How long it took; zero under `dry_run`.
    """

    source: str
    version: str
    name: str
    direction: str
    units: int
    sql: tuple[str, ...]
    took: timedelta = timedelta()


class Outcome(msgspec.Struct, frozen=True):
    """What a run did.

    Attributes:
        steps: In the order they ran.
        dry_run: Whether they were only planned.
    """

    steps: tuple[Step, ...]
    dry_run: bool = False
