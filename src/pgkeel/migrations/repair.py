"""Set right what crashes and hands left behind: say what it is and what would be done, then do it, one thing at a time."""

from collections.abc import Iterator, Sequence

import msgspec
import psycopg

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.drift import remember
from pgkeel.migrations.errors import MigrationFailed
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.guard import Watcher, runner_lock, session_role
from pgkeel.migrations.ledger import Entry, Scribe, facts_of, units_checksum
from pgkeel.migrations.options import DEFAULTS, Options
from pgkeel.migrations.recovery import settle
from pgkeel.migrations.source import Source, read
from pgkeel.postgres import Connection, describe, identifier, load

__all__ = ["Repair", "Repaired", "repair"]


class Repair(msgspec.Struct, frozen=True):
    """One thing that is broken.

    Attributes:
        kind: `leftover_index`, `invalid_index`, `moved_file`, `lost_attempt`, `edited_file`, `unfinished` or `missing_file`.
        object: Which index or migration.
        action: What is done about it, or by whom.
        is_by_hand: Whether a person has to do it.
        source: Of a migration.
        version: Of a migration.
        index: Schema and name of an index.
    """

    kind: str
    object: str
    action: str
    is_by_hand: bool = False
    source: str = ""
    version: str = ""
    index: tuple[str, ...] = ()


class Repaired(msgspec.Struct, frozen=True):
    """What was, or under `dry_run` would be, set right.

    Attributes:
        repairs: In their order.
        by_hand: What is left to a person.
    """

    repairs: tuple[Repair, ...]
    by_hand: tuple[Repair, ...]
    dry_run: bool = False


def repair(
    connection: Connection,
    sources: Sequence[Source],
    *,
    accept: Sequence[str] = (),
    reason: str = "",
    options: Options = DEFAULTS,
    report: Report = silent,
) -> Repaired:
    """Find what is broken and set it right; a repair that was killed is simply made again.

    Args:
        connection: In autocommit, as the owner.
        sources: All sources.
        accept: Versions whose edited file counts as the applied one from now on; `SOURCE/VERSION` or `VERSION`.
        reason: Why they are accepted; it is kept in the log.
        options: `dry_run`, `search_path`, `wait`.
        report: Told what is done.

    Raises:
        UsageError: A file is to be accepted and there is no reason, or it was not edited.
        MigrationFailed: The server refused a repair: an index on values that are not unique.
    """
    if accept and not reason.strip():
        raise UsageError("an edited file is accepted with a reason", hint='--reason "only a comment was changed"')
    if options.dry_run:
        return _split(_plan(connection, sources, accept, options), dry_run=True)
    with Watcher(connection) as watcher:
        session_role(connection, watcher)
        with runner_lock(connection, options, report):
            ledger.prepare(connection)
            found = _plan(connection, sources, accept, options)
            for one in found:
                if not one.is_by_hand:
                    report(f"{one.kind} {one.object}: {one.action}")
                    _carry_out(connection, sources, one, reason, report)
            _note(connection, found, reason, options)
    return _split(found, dry_run=False)


def _split(found: Sequence[Repair], *, dry_run: bool) -> Repaired:
    mine = tuple(one for one in found if not one.is_by_hand)
    return Repaired(mine, tuple(one for one in found if one.is_by_hand), dry_run)


def _plan(connection: Connection, sources: Sequence[Source], accept: Sequence[str], options: Options) -> list[Repair]:
    known = ledger.entries(connection)
    found = [*_indexes(connection, options)]
    for source in sources:
        files = {file.version: file for file in read(source)}
        entries = {version: entry for (name, version), entry in known.items() if name == source.name}
        found += _of_source(files, entries, accept)
    named = {name for one in found for name in (one.version, f"{one.source}/{one.version}") if one.kind == "edited_file"}
    for version in accept:
        if version not in named:
            raise NotFound(f"{version} was not edited after it was applied", hint="`pgkeel migrate verify` lists what was")
    return found


def _indexes(connection: Connection, options: Options) -> Iterator[Repair]:
    for row in load(__name__, "repair_indexes").rows(connection, schemas=list(options.search_path)):
        kind, action = (
            ("leftover_index", "drop it CONCURRENTLY") if row["is_leftover"] else ("invalid_index", "REINDEX CONCURRENTLY")
        )
        yield Repair(kind, row["title"], action, index=(row["schema"], row["name"]))


def _of_source(files: dict[str, MigrationFile], entries: dict[str, Entry], accept: Sequence[str]) -> Iterator[Repair]:
    unknown = {file.checksum: file for file in files.values() if file.version not in entries}
    for entry in entries.values():
        file = files.get(entry.version)
        if file is None and entry.checksum in unknown:
            new = unknown[entry.checksum]
            yield _of(entry, "moved_file", f"the ledger follows it to {new.version}_{new.name}")
        elif file is not None and file.name != entry.name and file.checksum == entry.checksum:
            yield _of(entry, "moved_file", f"the ledger follows it to {file.version}_{file.name}")
        elif not entry.is_complete:
            yield _unfinished(entry, file)
        elif file is None and not _is_replaced(entry, files):
            hint = f"put the file back, or `pgkeel migrate down`: the ledger has its Down; or mark {entry.version} reverted"
            yield _of(entry, "missing_file", hint, is_by_hand=True)
        elif file is not None and file.checksum != entry.checksum:
            yield _edited(entry, accept)


def _is_replaced(entry: Entry, files: dict[str, MigrationFile]) -> bool:
    return any(entry.version in file.replaces for file in files.values())


def _of(entry: Entry, kind: str, action: str, *, is_by_hand: bool = False) -> Repair:
    title = f"{entry.source} {entry.version}_{entry.name}"
    return Repair(kind, title, action, is_by_hand, entry.source, entry.version)


def _unfinished(entry: Entry, file: MigrationFile | None) -> Repair:
    if file is not None or entry.direction == "down":
        return _of(entry, "unfinished", "`pgkeel migrate up` goes on where it stopped", is_by_hand=True)
    if entry.unit == 0:
        return _of(entry, "lost_attempt", "clear away what its statement left, and forget it: nothing of it was done")
    hint = f"put the file back; or undo {entry.unit} of its {entry.units} units by hand and mark {entry.version} reverted"
    return _of(entry, "unfinished", hint, is_by_hand=True)


def _edited(entry: Entry, accept: Sequence[str]) -> Repair:
    if entry.version in accept or f"{entry.source}/{entry.version}" in accept:
        return _of(entry, "edited_file", "the file as it is now counts as the applied one")
    hint = f"put the applied text back; or, where the change does nothing, --accept {entry.version} --reason …"
    return _of(entry, "edited_file", hint, is_by_hand=True)


def _carry_out(connection: Connection, sources: Sequence[Source], one: Repair, reason: str, report: Report) -> None:
    match one.kind:
        case "leftover_index" | "invalid_index":
            _set_right(connection, one)
        case "lost_attempt":
            entry = ledger.entries(connection)[one.source, one.version]
            if entry.attempt is not None:
                settle(connection, entry.attempt, report)
            load(__name__, "forget").run(connection, source=one.source, versions=[one.version])
        case "moved_file":
            _follow(connection, sources, one)
        case _:
            _accept(connection, sources, one, reason)


def _set_right(connection: Connection, one: Repair) -> None:
    verb = "drop_index" if one.kind == "leftover_index" else "reindex"
    try:
        load(__name__, verb).named(index=identifier(*one.index)).run(connection)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as err:
        hint = "correct the rows, then repair again; or DROP INDEX CONCURRENTLY, where nobody needs it"
        raise MigrationFailed(f"{one.object} cannot be rebuilt: {describe(err)}", hint=hint) from err


def _file(sources: Sequence[Source], one: Repair, checksum: str | None = None) -> MigrationFile:
    files = next(read(source) for source in sources if source.name == one.source)
    return next(file for file in files if file.version == one.version or file.checksum == checksum)


def _follow(connection: Connection, sources: Sequence[Source], one: Repair) -> None:
    entry = ledger.entries(connection)[one.source, one.version]
    file = _file(sources, one, entry.checksum)
    values = {"source": one.source, "version": one.version, "new_version": file.version, "name": file.name}
    load(__name__, "move_entry").run(connection, **values)


def _accept(connection: Connection, sources: Sequence[Source], one: Repair, reason: str) -> None:
    file = _file(sources, one)
    scribe = Scribe(connection, new_id(), one.source, one.version, "up", facts_of(file))
    units = len(file.up.units) or 1
    with connection.transaction():
        step = scribe.step(status="applied", unit=units, event="accepted", done=units_checksum(file.up.units))
        connection.execute(step.encode())
        scribe.event("reason", units, reason=reason)


def _note(connection: Connection, found: Sequence[Repair], reason: str, options: Options) -> None:
    """Keep in the log what was done, and how the schema looks now."""
    done = [one for one in found if not one.is_by_hand]
    if done:
        last = next((one for one in reversed(done) if one.version), Repair("", "", "", source="pgkeel", version="0" * 14))
        scribe = Scribe(connection, new_id(), last.source, last.version, "up", {})
        scribe.event("repaired", 0, reason=reason, repairs=[f"{one.kind} {one.object}: {one.action}" for one in done])
        remember(scribe, options.search_path, 0)
