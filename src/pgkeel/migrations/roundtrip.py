"""Try every Down before it is needed: up, down, up on a scratch database, and compare what is there after each step."""

from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from pgkeel.core.errors import KeelError
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import backfill, ledger
from pgkeel.migrations.backfill.keys import BackfillKey
from pgkeel.migrations.errors import HalfApplied
from pgkeel.migrations.execute import Run, carry_out
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.ledger import Key
from pgkeel.migrations.options import Options
from pgkeel.migrations.plan import plan_down, plan_up
from pgkeel.migrations.runner import files_of, running
from pgkeel.migrations.source import Source
from pgkeel.migrations.squashed import adopt
from pgkeel.postgres import Connection, load
from pgkeel.postgres.catalog import Difference, Snapshot, differences, snapshot

__all__ = ["RoundTrip", "Slip", "round_trips"]


class Slip(msgspec.Struct, frozen=True):
    """Something that a migration does not keep its word about.

    Attributes:
        code: `up_failed`, `down_failed`, `not_reverted`, `not_repeatable` or `backfill_failed`.
        message: What happened.
        differences: What is there and should not be, or the other way round.
    """

    code: str
    message: str
    differences: tuple[str, ...] = ()


class RoundTrip(msgspec.Struct, frozen=True):
    """What came out for one migration.

    Attributes:
        result: `ok`, `irreversible` (it says so; its Up alone was tried), `failed`, `not_tried`, or `not_reached`.
        reason: Why it is irreversible, or was not tried.
        slips: What is wrong.
        loses: Tables and columns that its Down drops: reverting needs `--allow-data-loss` where they hold anything.
    """

    source: str
    version: str
    name: str
    result: str
    reason: str = ""
    slips: tuple[Slip, ...] = ()
    loses: tuple[str, ...] = ()


class _State(msgspec.Struct, frozen=True):
    objects: Snapshot
    beside: frozenset[str]  # schemas and roles, which a snapshot of schemas does not hold


def round_trips(
    connection: Connection,
    sources: Sequence[Source],
    wanted: Callable[[Key], bool],
    options: Options,
    report: Report = silent,
) -> tuple[RoundTrip, ...]:
    """Apply what is pending in a scratch database, and take each wanted migration up, down and up on the way.

    Args:
        connection: To the scratch database: its rows and roles are at nobody's cost. What its ledger holds is left alone.
        sources: In the order in which they run.
        wanted: Which migrations are tried; the others are only applied.
        options: `allow_out_of_order` and `search_path` count.
        report: Told which one is tried.

    Raises:
        BadMigration: A file cannot be read or run.
        HalfApplied: The ledger holds one that stopped half-way.
        Refused: A file cannot be applied in its place.
    """
    files = files_of(sources)
    with running(connection, options, silent) as run:
        adopt(connection, files)
        known = ledger.entries(connection)
        if not all(entry.is_complete for entry in known.values()):
            raise HalfApplied("a migration stopped half-way", hint="`pgkeel migrate up` finishes it; then test")
        pending = [(name, file) for name, some in files.items() for file in some if (name, file.version) not in known]
        return tuple(_walk(run, pending, wanted, report))


def _walk(
    run: Run, pending: Sequence[tuple[str, MigrationFile]], wanted: Callable[[Key], bool], report: Report
) -> Iterator[RoundTrip]:
    is_lost = False
    for source, file in pending:
        if is_lost:
            yield _result(source, file, "not_reached")
        elif _reaches_out(file):
            yield _result(source, file, "not_tried", "it subscribes to another server, which a rehearsal must not touch")
        elif wanted((source, file.version)):
            report(f"{source} {file.version}_{file.name}")
            found = _trip(run, source, file)
            is_lost = any(slip.code in {"up_failed", "down_failed"} for slip in found.slips)
            yield found
        else:
            slip = _up(run, source, file)
            is_lost = slip is not None
            yield from (_result(source, file, "failed", slips=(one,)) for one in (slip,) if one is not None)


def _reaches_out(file: MigrationFile) -> bool:
    sections = (file.up, file.down) if file.down else (file.up,)
    units = (unit for section in sections for unit in section.units)
    return any("SUBSCRIPTION" in statement.words[1:2] for unit in units for statement in unit.statements)


def _trip(run: Run, source: str, file: MigrationFile) -> RoundTrip:
    before = _state(run, source)
    slip = _up(run, source, file)
    if slip is not None or file.down is None:
        reason = file.irreversible
        return _result(source, file, "failed" if slip else "irreversible", reason, (slip,) if slip else ())
    applied = _state(run, source)
    slip = _down(run, source, file)
    if slip is not None:
        return _result(source, file, "failed", slips=(slip,))
    reverted = _state(run, source)
    slips = [*_compared("not_reverted", "after its Down", before, reverted)]
    again = _up(run, source, file)
    slips += [again] if again else _compared("not_repeatable", "after its second Up", applied, _state(run, source))
    return _result(source, file, "failed" if slips else "ok", "", tuple(slips), tuple(_lost(applied, reverted)))


def _result(
    source: str,
    file: MigrationFile,
    result: str,
    reason: str = "",
    slips: tuple[Slip, ...] = (),
    loses: tuple[str, ...] = (),
) -> RoundTrip:
    return RoundTrip(source, file.version, file.name, result, reason, slips, loses)


def _up(run: Run, source: str, file: MigrationFile) -> Slip | None:
    try:
        tasks = plan_up({source: (file,)}, ledger.entries(run.connection), frozenset(), run.options)
        for task in tasks:
            carry_out(run, task)
    except KeelError as err:
        return Slip("up_failed", err.message)
    return _fill(run, file) if file.backfills else None


def _fill(run: Run, file: MigrationFile) -> Slip | None:
    """Finish the file's backfills, so that what needs them can follow; without rows no code of the team's runs."""
    try:
        backfill.run(run.connection, file.version, resolve=lambda _: _nothing, options=run.options)
    except KeelError as err:
        return Slip("backfill_failed", err.message)
    return None


def _nothing(_: Connection, _lo: BackfillKey, _hi: BackfillKey) -> int:
    return 0


def _down(run: Run, source: str, file: MigrationFile) -> Slip | None:
    key = (source, file.version)
    try:
        for task in plan_down({source: (file,)}, {key: ledger.entries(run.connection)[key]}, run.options, 1):
            carry_out(run, task)
    except KeelError as err:
        return Slip("down_failed", err.message)
    return None


def _state(run: Run, source: str) -> _State:
    names = load(__name__, "places").rows(run.connection)
    schemas = [row["name"] for row in names if row["kind"] == "schema" and (row["name"] != "pgkeel" or source == "pgkeel")]
    beside = frozenset(f"{row['kind']} {row['name']}" for row in names)
    return _State(snapshot(run.connection, schemas=schemas), beside)


def _compared(code: str, when: str, wanted: _State, found: _State) -> list[Slip]:
    said = [_said(one) for one in differences(wanted.objects, found.objects)]
    said += [f"{name} is left behind" for name in sorted(found.beside - wanted.beside)]
    said += [f"{name} is gone" for name in sorted(wanted.beside - found.beside)]
    return [Slip(code, f"{when} the schema is not what it was", tuple(said))] if said else []


def _said(difference: Difference) -> str:
    name = f"{difference.kind} {difference.name}"
    match difference.left, difference.right:
        case None, found:
            return f"{name} is left behind: {found}"
        case wanted, None:
            return f"{name} is gone: {wanted}"
        case wanted, found:
            return f"{name} was {wanted} and is {found}"


def _lost(applied: _State, reverted: _State) -> Iterator[str]:
    gone = [one for one in differences(applied.objects, reverted.objects) if one.right is None]
    whole = [one.name for one in gone if one.kind in {"table", "partition", "view"}]
    yield from (one.name for one in gone if one.kind in {"table", "partition"})
    yield from (one.name for one in gone if one.kind == "column" and not _is_inside(one.name, whole))


def _is_inside(column: str, relations: Collection[str]) -> bool:
    return any(column.startswith(f"{relation}.") for relation in relations)
