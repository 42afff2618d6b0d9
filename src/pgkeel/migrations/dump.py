"""Write a schema down as SQL with the ledger's rows, always the same text for the same schema, and read it back."""

from collections.abc import Callable, Sequence

from pgkeel.core.errors import Refused
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.drift import remember
from pgkeel.migrations.errors import HalfApplied
from pgkeel.migrations.guard import runner_lock
from pgkeel.migrations.ledger import Scribe
from pgkeel.migrations.options import DEFAULTS
from pgkeel.migrations.scratch import run_script
from pgkeel.migrations.statement import Statement, split
from pgkeel.postgres import Connection, load

__all__ = ["Dumper", "NotEmpty", "dump", "load_dump", "portable"]

Dumper = Callable[[Sequence[str]], str]
_HEADER = "-- the schema and the ledger of its migrations, written by `pgkeel migrate dump`; `pgkeel migrate load` reads it\n"
# session settings differ between majors; default rights, rights to what is the server's, extensions' comments: of who set it up
_LEFT_OUT = ("SET", "SELECT PG_CATALOG SET_CONFIG", "ALTER DEFAULT PRIVILEGES", "COMMENT ON EXTENSION", "COMMENT ON SCHEMA")
_AUDIT = "pgkeel_audit_"


class NotEmpty(Refused):
    """The database is not empty."""

    code = "not_empty"


def dump(connection: Connection, run_pg_dump: Dumper) -> str:
    """Return the schema as statements, each followed by an empty line, and the ledger's rows.

    Random keys, comments, versions and session settings of pg_dump are left out, so that equal schemas give equal texts.

    Args:
        connection: To the database.
        run_pg_dump: Runs pg_dump on the same database with arguments, and returns what it printed.

    Raises:
        HalfApplied: A migration stopped half-way: the schema is between two versions.
    """
    rows = load(__name__, "dumped_rows").rows(connection) if ledger.exists(connection) else []
    if not all(row["is_complete"] for row in rows):
        raise HalfApplied("a migration stopped half-way", hint="`pgkeel migrate up` finishes it; then dump")
    backfills = load(__name__, "dumped_backfills").rows(connection) if rows else []
    text = run_pg_dump(
        ["--schema-only", "--no-owner", "--no-tablespaces", "--no-publications", "--no-subscriptions", "--exclude-schema=audit"]
    )
    statements = [portable(one) for one in split(text, 0, len(text)) if not _is_left_out(one)]
    return "\n\n".join([_HEADER, *(f"{one};" for one in (*statements, *(row["statement"] for row in (*rows, *backfills)))), ""])


def load_dump(connection: Connection, text: str, file_name: str, report: Report = silent, *, dry_run: bool = False) -> None:
    """Make the schema of a dump in an empty database, in one transaction; a dry run does the same and takes it back.

    Raises:
        NotEmpty: Something is in it.
        BadMigration: The server refuses a statement; nothing was kept.
    """
    with runner_lock(connection, DEFAULTS, report), connection.transaction(force_rollback=dry_run):
        found = load(__name__, "own_objects").scalar(connection)
        if found is not None:
            raise NotEmpty(
                f"the database holds {found}", hint="load into an empty database; `pgkeel reset` empties the embedded one"
            )
        run_script(connection, text, file_name)
        newest = max(ledger.entries(connection).values(), key=lambda entry: entry.version, default=None)
        if newest is not None:
            scribe = Scribe(connection, new_id(), newest.source, newest.version, "up", {})
            scribe.event("loaded", newest.units, file=file_name)
            remember(scribe, DEFAULTS.search_path, newest.units)


def _is_left_out(statement: Statement) -> bool:
    is_of_the_server = statement.starts_with("GRANT", "REVOKE") and " pg_catalog." in statement.text
    return is_of_the_server or statement.starts_with(*_LEFT_OUT) or _is_of_the_audit_log(statement)


def _is_of_the_audit_log(statement: Statement) -> bool:
    """Return whether it is a trigger of `security audit apply`, which each database gets by itself."""
    return _AUDIT in statement.text and statement.starts_with(
        "CREATE TRIGGER", "CREATE EVENT TRIGGER", "ALTER TABLE", "ALTER EVENT"
    )


def portable(statement: Statement) -> str:
    """Return a statement of pg_dump that also runs where the schema is there already."""
    if statement.starts_with("CREATE SCHEMA"):
        return statement.text.replace("CREATE SCHEMA ", "CREATE SCHEMA IF NOT EXISTS ", 1)
    return statement.text
