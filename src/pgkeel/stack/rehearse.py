"""Rehearse migrations on a server of its own that is gone afterwards: the project's database is only read."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import msgspec

from pgkeel.core.errors import Unreachable
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import Options, Source
from pgkeel.migrations.clone import Original, cloned, read_original
from pgkeel.migrations.impact.preview import Preview, rehearse
from pgkeel.migrations.ledger import Key
from pgkeel.migrations.roundtrip import RoundTrip, round_trips
from pgkeel.postgres import Connection, identifier, load
from pgkeel.security.names import SUPERUSER
from pgkeel.stack.connection import connect
from pgkeel.stack.scratch import dumper_of, rehearsal_of

__all__ = ["trace_pending", "try_all", "try_pending"]


def trace_pending(project: Project, sources: Sequence[Source], options: Options) -> Preview:
    """Return what `up` would do as a copy of the schema shows it; see `migrations.impact.preview.rehearse`."""
    with _owner(project, "trace") as connection:
        original = _at_home(read_original(connection, dumper_of(project)), options)
        return rehearse(connection, sources, options, original=original, scratch=rehearsal_of(project))


def try_pending(project: Project, sources: Sequence[Source], options: Options, report: Report) -> tuple[RoundTrip, ...]:
    """Try what is pending on a copy of the schema; see `migrations.roundtrip.round_trips`."""
    with _owner(project, "test") as connection:
        original = _at_home(read_original(connection, dumper_of(project)), options)
    with cloned(rehearsal_of(project), original) as copy:
        return round_trips(copy.connection, sources, lambda _: True, options, report)


def _at_home(original: Original, options: Options) -> Original:
    """Return the original with the schema in which the migrations run: that of a new tenant is made by its first `up`."""
    names = {"schema": identifier(options.search_path[0]), "role": identifier(original.role)}
    home = load(__name__, "make_home").named(**names).plain
    return msgspec.structs.replace(original, script=f"{original.script}\n{home};")


def try_all(project: Project, sources: Sequence[Source], tried: str, options: Options, report: Report) -> tuple[RoundTrip, ...]:
    """Try every migration of a source, from an empty database on; the project's own need not run.

    Args:
        project: Whose PostgreSQL major counts.
        sources: All that are applied, in order.
        tried: The source whose migrations are taken down on the way.
        options: As for `round_trips`.
        report: Told which one is tried.
    """
    major, original = _bare(project)

    def is_tried(key: Key) -> bool:
        return key[0] == tried

    with cloned(rehearsal_of(project, major=major), original) as empty:
        return round_trips(empty.connection, sources, is_tried, options, report)


def _bare(project: Project) -> tuple[str | None, Original]:
    """Return the database's major and what an empty copy of it is; the configured major where it cannot be reached."""
    try:
        with _owner(project, "test") as connection:
            return None, read_original(connection, lambda _: "", with_ledger=False)
    except Unreachable:
        return project.config.local.postgres, Original("", (), SUPERUSER)


@contextmanager
def _owner(project: Project, verb: str) -> Iterator[Connection]:
    with closing(connect(project, role="owner", application=f"pgkeel migrate {verb}")) as connection:
        yield connection
