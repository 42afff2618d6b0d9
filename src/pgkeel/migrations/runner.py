"""Apply and revert migrations."""

from collections.abc import Sequence

from pgkeel.migrations.options import Options, Outcome, Report, silent
from pgkeel.migrations.source import Source
from pgkeel.postgres import Connection

__all__ = ["down", "redo", "up"]


def up(connection: Connection, sources: Sequence[Source], options: Options = Options(), report: Report = silent) -> Outcome:
    """Apply what is pending, source after source, and finish what an earlier run left half done."""
    raise NotImplementedError


def down(
    connection: Connection, sources: Sequence[Source], options: Options = Options(), report: Report = silent, *, count: int = 1
) -> Outcome:
    """Revert the newest `count` migrations, or everything newer than `options.to`."""
    raise NotImplementedError


def redo(connection: Connection, sources: Sequence[Source], options: Options = Options(), report: Report = silent) -> Outcome:
    """Revert the newest migration and apply it again."""
    raise NotImplementedError
