"""Functions that do more than compute."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import walk

__all__: list[str] = []

_EFFECTS = {
    "pg_terminate_backend": "it ends somebody's session",
    "pg_cancel_backend": "it ends somebody's statement",
    "pg_sleep": "every lock of the transaction is kept while it sleeps",
    "pg_sleep_for": "every lock of the transaction is kept while it sleeps",
    "pg_sleep_until": "every lock of the transaction is kept while it sleeps",
    "pg_advisory_lock": "it waits without end, and may deadlock with CREATE INDEX CONCURRENTLY",
    "pg_advisory_xact_lock": "it waits without end, and may deadlock with CREATE INDEX CONCURRENTLY",
    "pg_promote": "the standby becomes a primary",
    "pg_switch_wal": "it works on the whole server",
    "pg_reload_conf": "it works on the whole server",
    "pg_drop_replication_slot": "its standby or subscriber can no longer follow",
    "create_distributed_table": "writes to the table wait until its rows have moved: create_distributed_table_concurrently",
    "undistribute_table": "the table is copied behind a lock that stops reads and writes",
    "alter_distributed_table": "the table is copied behind a lock that stops reads and writes",
}
_FILES = {
    *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "pg_file_write", "pg_file_unlink"),
    *("lo_import", "lo_export", "dblink", "dblink_exec", "dblink_connect"),
}


def _called(step: Step) -> Iterator[str]:
    return (body["funcname"][-1]["String"]["sval"] for kind, body in walk(step.node) if kind == "FuncCall")


@rule(
    "MIG069",
    Severity.WARNING,
    "SelectStmt",
    "CallStmt",
    problem="A migration that stops other sessions, or waits while it holds locks, is felt by everybody.",
    fix="Leave it out: the runner has a lock of its own, retries what is blocked, and names who is in the way.",
)
def disturbing_call(step: Step, _: Scene) -> Iterator[Hit]:
    """Find calls that others feel."""
    yield from (Hit(name, _EFFECTS[name]) for name in dict.fromkeys(_called(step)) if name in _EFFECTS)


@rule(
    "SEC111",
    Severity.ERROR,
    "SelectStmt",
    "InsertStmt",
    "UpdateStmt",
    section="Security",
    problem="These functions reach out of the database: the server's files, other servers.",
    fix="Load with INSERT, or from a client.",
)
def reach_out(step: Step, _: Scene) -> Iterator[Hit]:
    """Find calls that read files or other servers."""
    yield from (Hit(name, "it reaches out of the database") for name in dict.fromkeys(_called(step)) if name in _FILES)
