"""Run a project's backfills as the owner of its tables; code that they name is found in the project's folder, or has the keys."""

from functools import cache

from pgkeel.core.importing import search_in
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import Options, backfill
from pgkeel.migrations.backfill import BackfillState, Change
from pgkeel.postgres import Connection
from pgkeel.security.encryption import change_of, is_ours, is_waited_for
from pgkeel.stack.connection import connect
from pgkeel.stack.keys import ensure_keys

__all__ = ["run_backfills", "seal_rest"]


def run_backfills(
    project: Project, version: str | None, report: Report, *, source: str | None = None
) -> tuple[BackfillState, ...]:
    """Run the backfills of a version, or all, and return where they stand; see `migrations.backfill.run`."""
    options = Options.of(project.config.migrations)
    name = "pgkeel migrate backfill"
    with connect(project, "owner", application=name) as connection, connect(project, "monitor", application=name) as monitor:

        def resolve(code: str) -> Change:
            return _change(project, connection, code)

        return backfill.run(
            connection,
            version,
            source=source,
            resolve=resolve,
            waits=is_waited_for,
            options=options,
            report=report,
            monitor=monitor,
        )


def seal_rest(project: Project, report: Report) -> None:
    """Run the backfills that need keys and wait, so that nobody has to know of them."""
    with connect(project, "owner", application="pgkeel up") as connection:
        waiting = [state for state in backfill.states(connection) if _waits(connection, state)]
    for state in waiting:
        run_backfills(project, state.version, report)


def _waits(connection: Connection, state: BackfillState) -> bool:
    """Return whether a backfill needs keys and has rows to do, perhaps again."""
    code = state.options.get("code", "")
    if not is_ours(code):
        return False
    return state.status in {"pending", "running"} or (state.status == "finished" and is_waited_for(connection, code))


def _change(project: Project, connection: Connection, code: str) -> Change:
    """Return the function that a Backfill section names, with the keys where it seals or opens."""
    if is_ours(code):
        return change_of(code, cache(lambda: ensure_keys(project, connection)))
    search_in(project.root)
    return backfill.imported(code)
