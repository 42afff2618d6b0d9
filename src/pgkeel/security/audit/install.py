"""Install the audit log and say which tables it watches: a plan first, then the log and its tables, a transaction each.

The log belongs to `pgkeel_audit`, which nobody may become: the team's roles reach it through the triggers alone. Inserts and
deletes are noted by the statement (one call for a bulk write), updates by the row, with the changed columns only. The functions
are written out for each table, which costs half of what a generic one does.
"""

import hashlib
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache

import msgspec
import psycopg
from psycopg import sql

from pgkeel.core.errors import ConfigError, Refused, UsageError
from pgkeel.postgres import Connection, Row, load
from pgkeel.security.audit.sealing import make_months, note_roles

__all__ = ["AuditPlan", "Watched", "check_rights", "follow", "install", "is_installed", "plan"]

_TABLES = (
    *(
        "change",
        "updated",
        "written",
        "form",
        "seal",
        "seal_index",
        "place",
        "epoch",
        "watched",
        "role_snapshot",
        "right_snapshot",
    ),
    *("record_seq", "record", "record_default", "record_index"),
    *("differ", "changed", "waiting", "log", "rights"),
)
_FUNCTIONS = (
    *("in_json", "value_of", "cut", "columns_of", "key_of", "name_of", "id_of", "image_of", "compares", "shape_of", "form_of"),
    *("note_drop", "note_truncate", "write_functions", "watch_truncate", "let_owner", "watch", "unwatch"),
    *("is_moved", "rights_by", "rights_without", "note_rights", "note_ddl", "refuse", "log_triggers"),
    *("digest_of", "chained", "take_in", "seal_below", "seal_now", "begin_epoch", "open_epoch"),
)
_EVENTS = {"pgkeel_audit_ddl": "ddl_trigger", "pgkeel_audit_drop": "drop_trigger"}
_TRIGGERS = 4


class Watched(msgspec.Struct, frozen=True):
    """A table to watch.

    Attributes:
        schema: Its schema.
        table: Its name.
        masked: Columns of which only the fact of a change is kept: secrets, and personal data in clear.
    """

    schema: str
    table: str
    masked: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As the log calls it."""
        return f"{self.schema}.{self.table}"


class AuditPlan(msgspec.Struct, frozen=True):
    """What lies between the database and what was declared.

    Attributes:
        needs_log: Whether the log itself is missing, or one of its event triggers, or another version of pgkeel made it.
        watch: Tables whose triggers are missing, disabled, or made for other columns or by another version.
        unwatch: Names of tables that are watched and not declared.
        is_old: Whether another version made the log.
    """

    needs_log: bool
    watch: tuple[Watched, ...]
    unwatch: tuple[str, ...]
    is_old: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The plan in words."""
        masked = {one.name: f" ({', '.join(one.masked)}: only that they changed)" if one.masked else "" for one in self.watch}
        return (
            *(("make the audit log as this version has it",) if self.is_old else ()),
            *(("install the audit log",) if self.needs_log and not self.is_old else ()),
            *(f"watch {one.name}{masked[one.name]}" for one in self.watch),
            *(f"stop watching {name}" for name in self.unwatch),
        )


def is_installed(connection: Connection) -> bool:
    """Return whether the connected database has an audit log."""
    return bool(_state(connection)["is_installed"])


def check_rights(connection: Connection, *, sealing: bool = False) -> None:
    """Tell who may not read the log, or not seal it, who may.

    Raises:
        UsageError: The connection's role may not.
    """
    state = _state(connection)
    if not state["may_read"]:
        hint = "connect as a superuser, or as a member of pgkeel_auditor"
        raise UsageError(f"{state['role']} may not read the audit log", hint=hint)
    if sealing and not state["may_seal"]:
        raise UsageError(f"{state['role']} may not seal the audit log", hint="connect as a superuser; the agent seals every 30 s")


def plan(connection: Connection, wanted: Sequence[Watched]) -> AuditPlan:
    """Return what `install` would do.

    Raises:
        ConfigError: A wanted table is not there, a partition, or has heirs that nobody wants.
        UsageError: The connection is no superuser's, or the log has no place yet.
    """
    state = _state(connection)
    if not state["is_superuser"]:
        hint = "run it as one: `[database] url` (or the variable that it names) says who connects"
        raise UsageError(f"the audit log is made by a superuser, and {state['role']} is none", hint=hint)
    if not state["has_place"]:
        raise UsageError(
            "the schema audit and the role pgkeel_audit are not there", hint="`pgkeel security roles apply` makes them"
        )
    names = {one.name for one in wanted}
    for one in wanted:
        _check(connection, one, names)
    if not state["is_installed"]:
        return AuditPlan(needs_log=True, watch=tuple(wanted), unwatch=())
    found = {row["table_name"]: row for row in load(__name__, "watched_tables").rows(connection)}
    enabled = {row["name"] for row in load(__name__, "event_triggers").rows(connection) if row["is_enabled"]}
    is_old = not load(__name__, "has_layout").scalar(connection, layout=_layout())
    return AuditPlan(
        needs_log=is_old or enabled != _EVENTS.keys(),
        watch=tuple(one for one in wanted if is_old or not _is_as_wanted(found.get(one.name), one)),
        unwatch=tuple(sorted(found.keys() - names)),
        is_old=is_old,
    )


def install(superuser: Connection, plan: AuditPlan, *, wait: timedelta = timedelta(seconds=5)) -> None:
    """Carry a plan out: the log, then its tables; what is there already stays as it is. Killed, it is run again.

    Writers lock their table before the log, so the log is locked in a transaction that touches no table of theirs.

    Args:
        superuser: Event triggers can be made by a superuser only.
        plan: From `plan`.
        wait: For a lock, while nobody can write; a long transaction would hold all writers up.

    Raises:
        Refused: The log or a table was not free for so long.
    """
    if plan.needs_log:
        with _soon(superuser, wait, "the audit log was"):
            _make_log(superuser)
    with _soon(superuser, wait, "the tables to watch were"):
        _watch(superuser, plan)


def follow(superuser: Connection, *, wait: timedelta = timedelta(seconds=1)) -> tuple[str, ...]:
    """Make the triggers that partitions do not get from the whole, and return which got them; one in use waits for the next call.

    Args:
        superuser: Who owns a partition may not call what its trigger does. A log of another version stays as it is.
        wait: For a partition's lock.
    """
    followed = list[str]()
    if not load(__name__, "has_layout").scalar(superuser, layout=_layout()):
        return ()
    for row in load(__name__, "watched_tables").rows(superuser):
        for name in row["unfollowed"]:
            with suppress(Refused), _soon(superuser, wait, f"{name} was"):
                load(__name__, "follow").scalar(superuser, name=name)
                followed.append(name)
    return tuple(followed)


def _state(connection: Connection) -> Row:
    return load(__name__, "is_installed").rows(connection)[0]


def _check(connection: Connection, one: Watched, names: AbstractSet[str]) -> None:
    """Refuse a table of whose writes its triggers would not be told."""
    found = load(__name__, "table_there").row(connection, schema=one.schema, table=one.table)
    if found is None:
        raise ConfigError(f"[security] audit names {one.name}, which is not there", hint="correct pgkeel.toml, or migrate first")
    if not found["is_table"]:
        hint = "name the team's own tables; a write through a view is noted as one of its table"
        raise ConfigError(f"[security] audit names {one.name}, which is no table that can be watched", hint=hint)
    if found["part_of"] is not None:
        hint = f"name {found['part_of']}: its partitions are watched with it"
        raise ConfigError(f"[security] audit names {one.name}, a partition of {found['part_of']}", hint=hint)
    missing = sorted(set(found["heirs"]) - names)
    if missing:
        hint = "name them as well: a write to them is no write to the table that they inherit from"
        raise ConfigError(f"[security] audit names {one.name}, but not what inherits from it: {', '.join(missing)}", hint=hint)


def _watch(superuser: Connection, plan: AuditPlan) -> None:
    for one in plan.watch:
        load(__name__, "watch_table").run(superuser, schema=one.schema, table=one.table, masked=list(one.masked))
    for name in plan.unwatch:
        load(__name__, "unwatch_table").run(superuser, name=name)
    load(__name__, "drop_unused").run(superuser)
    _own_functions(superuser)
    if plan.is_old:
        for older in ("leave_fresh", "leave_noted"):
            load(__name__, older).run(superuser)
    if plan.needs_log:
        _ensure_events(superuser)
        load(__name__, "layout").named(layout=sql.Literal(_layout())).run(superuser)


@contextmanager
def _soon(superuser: Connection, wait: timedelta, what: str) -> Iterator[None]:
    """Open a transaction that waits for no lock longer, for all who want to write wait behind it."""
    try:
        with superuser.transaction():
            load(__name__, "lock_timeout").scalar(superuser, wait=f"{round(wait.total_seconds() * 1000)}ms")
            yield
    except psycopg.errors.LockNotAvailable:
        hint = "end the transaction that writes for so long, then run it again"
        raise Refused(f"{what} not free for {wait.total_seconds():g} s", hint=hint) from None


def _make_log(superuser: Connection) -> None:
    with _as_audit(superuser):
        for name in (*_TABLES, *_FUNCTIONS, "first_epoch"):
            load(__name__, name).run(superuser)
        load(__name__, "leave_tails").rows(superuser)
    make_months(superuser)
    load(__name__, "keep_rights").scalar(superuser)
    note_roles(superuser)
    _own_functions(superuser)


@cache
def _layout() -> str:
    """Return the digest of all that makes the log, which is written down with it: another one is another version's."""
    text = "".join(load(__name__, name).text for name in (*_TABLES, *_FUNCTIONS, *_EVENTS.values()))
    return f"made by pgkeel, layout {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _is_as_wanted(found: dict[str, object] | None, one: Watched) -> bool:
    return (
        found is not None
        and bool(found["is_as_it_was"])
        and found["triggers"] == _TRIGGERS
        and not found["silent"]
        and not found["unfollowed"]
        and not found["owner_cannot"]
        and tuple(found["masked"]) == one.masked  # type: ignore[arg-type] # a list of text
    )


def _ensure_events(superuser: Connection) -> None:
    there = {row["name"]: row["is_enabled"] for row in load(__name__, "event_triggers").rows(superuser)}
    for name, file in _EVENTS.items():
        if name not in there:
            load(__name__, file).run(superuser)
        elif not there[name]:
            load(__name__, f"let_{file}").run(superuser)
            load(__name__, file).run(superuser)


def _own_functions(superuser: Connection) -> None:
    """Give the functions that were written for tables to the log's owner: they run with its rights."""
    load(__name__, "own_functions").run(superuser)


@contextmanager
def _as_audit(superuser: Connection) -> Iterator[None]:
    load(__name__, "become_audit").run(superuser)
    try:
        yield
    finally:
        if not superuser.broken and superuser.info.transaction_status.name != "INERROR":
            load(__name__, "become_self").run(superuser)
