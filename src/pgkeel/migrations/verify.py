"""Say whether files, ledger and database still tell the same story."""

from collections.abc import Iterator, Sequence

import msgspec

from pgkeel.migrations.drift import drift_between, recall
from pgkeel.migrations.scratch import Scratch, by_files, filled
from pgkeel.migrations.source import Source
from pgkeel.migrations.status import State, status
from pgkeel.postgres import Connection, load
from pgkeel.postgres.catalog import Difference, Snapshot, snapshot

__all__ = ["Verdict", "Violation", "verify"]


class Violation(msgspec.Struct, frozen=True):
    """One thing that is not as it should be.

    Attributes:
        code: `edited`, `missing_file`, `half_applied`, `drift`, `invalid_index` or `unvalidated_constraint`.
        object: Which migration, index, constraint or other object.
        message: What is wrong with it.
        fix: What to do, or to type.
    """

    code: str
    object: str
    message: str
    fix: str


class Verdict(msgspec.Struct, frozen=True):
    """What `verify` found.

    Attributes:
        violations: Sorted by kind; none when all is well.
        expected_from: `ledger` (what the last run left), `files` (built from the migrations), or `nothing`.
        fingerprint: Of the schemas as they are.
    """

    violations: tuple[Violation, ...]
    expected_from: str
    fingerprint: str


def verify(
    connection: Connection,
    sources: Sequence[Source],
    *,
    scratch: Scratch | None = None,
    schemas: Sequence[str] = ("public",),
    from_files: bool = False,
) -> Verdict:
    """Return where files, ledger and database disagree; nothing is changed.

    Args:
        connection: To the database, with the right to read the ledger.
        sources: Whose files are compared.
        scratch: Gives a database in which the schema of the files is built, where the ledger does not know the schema.
        schemas: The schemas that are compared.
        from_files: Build the expected schema from the files even when the ledger knows it.

    Raises:
        BadMigration: A file cannot be read or run.
    """
    found = snapshot(connection, schemas=schemas)
    states = status(connection, sources).migrations
    origin, expected = _expected(connection, sources, states, scratch, schemas, from_files=from_files)
    drift = drift_between(expected, found) if expected is not None else ()
    violations = (*_of_files(states), *map(_of_drift, drift), *_of_catalog(connection, schemas))
    return Verdict(violations, origin, found.fingerprint)


def _expected(
    connection: Connection,
    sources: Sequence[Source],
    states: Sequence[State],
    scratch: Scratch | None,
    schemas: Sequence[str],
    *,
    from_files: bool,
) -> tuple[str, Snapshot | None]:
    known = None if from_files else recall(connection, schemas, [source.name for source in sources])
    if known is not None:
        return "ledger", known
    if scratch is None or any(state.is_missing for state in states):
        return "nothing", None
    newest = {state.source: state.version for state in states if state.state in {"applied", "baseline"}}
    with filled(scratch, by_files(sources, to=newest), like=connection, schemas=schemas) as built:
        return "files", snapshot(built, schemas=schemas)


def _of_files(states: Sequence[State]) -> Iterator[Violation]:
    for state in states:
        name = f"{state.source} {state.version}_{state.name}"
        if state.is_edited:
            fix = "put the applied text back, or `pgkeel migrate redo` while it is yours alone"
            yield Violation("edited", name, "its file was changed after it was applied", fix)
        if state.is_missing:
            yield Violation(
                "missing_file",
                name,
                "it is applied and its file is gone",
                "put the file back, or revert it: the ledger has its Down",
            )
        if state.state in {"partial", "running"}:
            yield Violation("half_applied", name, "it stopped half-way", "`pgkeel migrate up` goes on where it stopped")


def _of_drift(difference: Difference) -> Violation:
    match difference.left, difference.right:
        case None, _:
            message = "it is in the database and no migration made it"
        case _, None:
            message = "it is missing in the database"
        case expected, found:
            message = f"it is {found}, and should be {expected}"
    fix = "undo it, or write it into a migration: `pgkeel migrate diff` does"
    return Violation("drift", f"{difference.kind} {difference.name}", message, fix)


def _of_catalog(connection: Connection, schemas: Sequence[str]) -> Iterator[Violation]:
    for row in load(__name__, "invalid_indexes").rows(connection, schemas=list(schemas)):
        fix = f"REINDEX INDEX CONCURRENTLY {row['name']}, or DROP INDEX CONCURRENTLY {row['name']}"
        yield Violation("invalid_index", row["name"], "it costs every write and serves no read", fix)
    for row in load(__name__, "unvalidated_constraints").rows(connection, schemas=list(schemas)):
        yield Violation("unvalidated_constraint", row["name"], "older rows may break it", row["fix"])
