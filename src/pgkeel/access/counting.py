"""How many statements a request, a task or a block of a test runs, and which of them again and again (N+1).

A scope counts what runs in its task, in the tasks it starts, and through all doors. Reads by key that are gathered into one
statement count as one in each scope that asked for a row of it. Outside of a scope nothing is counted,
unless `count_tasks` says that each task is one. `pgkeel.access.per_request` enters a scope for each request.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pgkeel.access.callsite import call_site
from pgkeel.access.errors import RepeatedStatement, UnexpectedCount
from pgkeel.core.errors import UsageError
from pgkeel.core.log import get_logger
from pgkeel.core.strict import is_strict

__all__ = ["Scope", "Shared", "count_tasks", "counted", "current_scope", "expect", "scope", "task_scopes", "uncounted"]

log = get_logger(__name__)
_MANY = 10
_current: "ContextVar[Scope | None]" = ContextVar("pgkeel_statements", default=None)
current_scope = _current.get
"""Return the scope that is entered, or None; a call of C, for the hot path asks it before each statement."""

task_scopes: list[int] = []
"""From how many runs on a task without a scope is complained of; empty where nobody asked."""


class Scope:
    """What ran since it was entered.

    Attributes:
        name: What it stands for, such as `GET /posts`.
        is_task: Whether nobody entered it: it stands for a task of its own, and scopes inside of it count for themselves.
        statements: How often each statement ran.
    """

    __slots__ = ("_many", "_outer", "_places", "is_task", "name", "statements")

    def __init__(
        self, name: str, many: int | None, outer: "Scope | None", *, keeps_places: bool = False, is_task: bool = False
    ) -> None:
        """Count into `outer` too; complain when one statement runs `many` times."""
        self.name = name
        self.is_task = is_task
        self.statements: Counter[str] = Counter()
        self._many = many
        self._outer = outer
        self._places: dict[tuple[str, str], int] | None = {} if keeps_places else None

    @property
    def total(self) -> int:
        """How many statements ran."""
        return self.statements.total()

    def note(self, sql: str, doing: str, shared: "set[Scope] | None" = None) -> None:
        """Count one statement.

        Args:
            sql: Its text.
            doing: What it does.
            shared: The scopes that have counted it already; those around them have, too.

        Raises:
            RepeatedStatement: In tests, when it is the same for the tenth time.
        """
        if shared is not None:
            if self in shared:
                return
            shared.add(self)
        self.statements[sql] += 1
        if self._places is not None:
            place = (doing, call_site())
            self._places[place] = self._places.get(place, 0) + 1
        if self.statements[sql] == self._many:
            self._complain(doing)
        if self._outer is not None:
            self._outer.note(sql, doing, shared)

    def places(self) -> str:
        """Return what ran, how often and from where, the most frequent first; only where a test expects something."""
        found = sorted((self._places or {}).items(), key=lambda item: -item[1])
        return "; ".join(f"{count} x {doing} at {place or 'an unknown place'}" for (doing, place), count in found)

    def _complain(self, doing: str) -> None:
        place = call_site()
        log.warning("access.repeated_statement", scope=self.name, doing=doing, times=self._many, at=place)
        if is_strict():
            raise RepeatedStatement(
                f"{doing} ran {self._many} times in {self.name}, at {place}",
                hint="read all rows at once: get_many(ids), include=…, or a join; scope(many=…) allows more",
            )


class Shared:
    """One statement that serves several callers: each scope among theirs counts it once, however often it asked."""

    __slots__ = ("_scopes",)

    def __init__(self) -> None:
        """Start with no caller."""
        self._scopes: set[Scope] = set()

    def asked(self, sql: str, doing: str) -> None:
        """Count it in the scope of the caller that asks now, as the statement that would serve this caller alone.

        Raises:
            RepeatedStatement: As of `Scope.note`; only this caller has it.
        """
        counted(sql, doing, self._scopes)


class _Nobody(Scope):
    """Counts nothing."""

    def note(self, sql: str, doing: str, shared: "set[Scope] | None" = None) -> None:
        """Do nothing: those who asked have counted."""


def uncounted() -> None:
    """Let what the running task does from now on count in no scope: it works for callers who have counted."""
    _current.set(_Nobody("nobody", None, None))


def counted(sql: str, doing: str, shared: set[Scope] | None = None) -> None:
    """Count a statement in the scope that is entered, if one is; `shared` as in `Scope.note`."""
    current = _current.get()
    if current is None and task_scopes:
        current = _of_task(task_scopes[0])
    if current is not None:
        current.note(sql, doing, shared)


def count_tasks(many: int | None = _MANY) -> None:
    """Make each asyncio task that is in no scope one of its own from now on; None ends that.

    A task that works for ever enters `scope("job")` for each round of its work.
    """
    task_scopes[:] = [] if many is None else [many]


def _of_task(many: int) -> Scope | None:
    """Enter a scope for the rest of the running task, whose context is its own; None in a thread without one."""
    task = None if asyncio._get_running_loop() is None else asyncio.current_task()  # noqa: SLF001 - documented, and does not raise
    if task is None:
        return None
    made = Scope(f"task {task.get_name()}", many, None, is_task=True)
    _current.set(made)
    return made


def _outer() -> Scope | None:
    current = _current.get()
    return None if current is None or current.is_task else current


@contextmanager
def scope(name: str = "this scope", *, many: int | None = _MANY) -> Iterator[Scope]:
    """Count the statements of a block: one request, one job.

    Args:
        name: What it stands for, for the warning.
        many: From how many runs of one statement on to complain: a warning in the log, an error under pytest; None never does.
    """
    yield from _entered(Scope(name, many, _outer()))


@contextmanager
def expect(queries: int | None = None, *, at_most: int | None = None) -> Iterator[Scope]:
    """Expect a number of statements in a block, exactly or at most.

    Raises:
        UnexpectedCount: It was another; the message says what ran, and from where.
    """
    if (queries is None) == (at_most is None):
        raise UsageError("expect a number of statements, or at most so many", hint="db.expect(queries=3)")
    counter = Scope("this block", None, _current.get(), keeps_places=True)
    yield from _entered(counter)
    is_met = counter.total == queries if at_most is None else counter.total <= at_most
    if not is_met:
        wanted = str(queries) if at_most is None else f"at most {at_most}"
        raise UnexpectedCount(f"statements: {counter.total} ran instead of {wanted}: {counter.places() or 'none'}")


def _entered(inner: Scope) -> Iterator[Scope]:
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)
