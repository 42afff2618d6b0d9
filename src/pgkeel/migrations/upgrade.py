"""Migrations for a program: one call with an address, the same runner as `pgkeel migrate`, safe in every replica at once.

A service calls `upgrade(url)` before it begins to serve. Of many that start together one applies what is pending; the others
wait for it and find nothing to do.
"""

from collections.abc import Sequence
from contextlib import closing

from pgkeel.core.project import load
from pgkeel.core.telling import Report, silent
from pgkeel.core.url import Url
from pgkeel.migrations import runner
from pgkeel.migrations.options import Options, Outcome
from pgkeel.migrations.source import Source, project_sources
from pgkeel.migrations.status import State, status
from pgkeel.postgres import Connection, connect

__all__ = ["downgrade", "outstanding", "upgrade"]


def upgrade(
    url: Url | str, sources: Sequence[Source] | None = None, options: Options | None = None, report: Report = silent
) -> Outcome:
    """Apply what is pending in a database.

    Args:
        url: Its address, as the login that owns the objects: not the one with which the service reads and writes.
        sources: Whose migrations; those of the project in the current folder when not given.
        options: How; the project's when not given.
        report: Told each step, and what the call waits for.

    Raises:
        BadMigration: A file cannot be run; nothing was.
        Refused: It would not be safe (see `migrations.errors`); `RunnerBusy` when another runner was at work for too long.
        MigrationFailed: The server refused a statement.
        Unreachable: The server does not answer, or the connection was lost.
    """
    with closing(_open(url, "upgrade")) as connection:
        return runner.up(connection, _sources(sources), _options(options), report)


def downgrade(
    url: Url | str,
    sources: Sequence[Source] | None = None,
    options: Options | None = None,
    report: Report = silent,
    *,
    count: int = 1,
) -> Outcome:
    """Revert the newest `count` migrations of the last source, or everything newer in it than `options.to`.

    Args:
        url: As for `upgrade`.
        sources: As for `upgrade`.
        options: How; rows are lost only with `allow_data_loss`.
        report: Told each step.
        count: How many.

    Raises:
        DataLoss, Irreversible, HalfApplied: Nothing was reverted.
        BadMigration, MigrationFailed, Unreachable: As for `upgrade`.
    """
    with closing(_open(url, "downgrade")) as connection:
        return runner.down(connection, _sources(sources)[-1:], _options(options), report, count=count)


def outstanding(url: Url | str, sources: Sequence[Source] | None = None) -> tuple[State, ...]:
    """Return what `upgrade` would apply or finish; a service that may not migrate refuses to start unless it is empty.

    Raises:
        BadMigration: A file cannot be read or run.
        Unreachable: The server does not answer.
    """
    with closing(_open(url, "outstanding")) as connection:
        return status(connection, _sources(sources)).pending


def _open(url: Url | str, verb: str) -> Connection:
    return connect(Url.parse(url) if isinstance(url, str) else url, application=f"pgkeel {verb}")


def _sources(sources: Sequence[Source] | None) -> Sequence[Source]:
    return project_sources(load()) if sources is None else sources


def _options(options: Options | None) -> Options:
    return Options.of(load().config.migrations) if options is None else options
