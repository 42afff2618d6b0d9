"""Find the point that somebody asked for: what the WAL says, and which files the table was."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from pgkeel.backup import Record, fetch_relations, relations_of
from pgkeel.backup.recovery.resolve import Plan, resolve
from pgkeel.backup.recovery.search import Files, TableFiles
from pgkeel.backup.recovery.wish import Statement, Wish
from pgkeel.backup.relations import Relations
from pgkeel.core import clock
from pgkeel.core.errors import Unreachable
from pgkeel.stack.clusters import system_of
from pgkeel.stack.connection import connect
from pgkeel.stack.restoring import Scene

__all__ = ["plan_of"]


def plan_of(scene: Scene, wish: Wish, place: Path, *, since: datetime | None = None) -> Plan:
    """Return the plan of a wish; the WAL that it needs, and what was looked through, is in `place` afterwards."""
    found = resolve(
        wish, scene.records, scene.archive, scene.tools, place, files=partial(_files, scene), now=clock.now(), since=since
    )
    return msgspec.structs.replace(found, warnings=(*scene.warnings, *found.warnings))


def _files(scene: Scene, bases: Sequence[Record]) -> Files:
    """Return what says which files a table has been: the backups wrote it down, and the server knows about now."""

    def known(statement: Statement) -> TableFiles:
        seen = [fetch_relations(one, scene.archive.repositories, scene.archive.identity) for one in bases if one.relations]
        return _table(statement, [*seen, *_relations_now(scene)])

    return known


def _relations_now(scene: Scene) -> list[Relations]:
    """Return what the server says that is here: of another cluster's tables it knows nothing."""
    if system_of(scene.directory / "data", scene.account) not in {None, scene.system}:
        return []
    try:
        with connect(scene.project, "superuser", application="pgkeel recover") as connection:
            return [relations_of(connection)]
    except Unreachable:
        return []


def _table(statement: Statement, seen: Sequence[Relations]) -> TableFiles:
    name = f"{statement.schema}.{statement.table}"
    found = [one for each in seen for one in each.relations if name in {f"{one.schema}.{one.name}", one.parent, *one.above}]
    return TableFiles(
        frozenset(f"{one.tablespace}/{one.database}/{one.file}" for one in found if one.file),
        frozenset(f"{one.database}/{one.oid}" for one in found),
    )
