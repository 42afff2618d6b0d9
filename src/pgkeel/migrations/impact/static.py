"""What the statements of pending migrations do, as far as their text tells; see `trace` for what a server does with them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from pgkeel.core.rules import Place
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.impact.effect import Effect, merge, strongest
from pgkeel.migrations.impact.locks import locks_of
from pgkeel.migrations.lint.check import CHECKS, Scene
from pgkeel.migrations.lint.facts import Facts
from pgkeel.migrations.lint.inside import DYNAMIC, steps_of
from pgkeel.migrations.lint.parser import ParseError, parse
from pgkeel.migrations.lint.step import Step, Transaction
from pgkeel.migrations.lint.target import Target
from pgkeel.migrations.lint.tree import option
from pgkeel.migrations.plan import Task
from pgkeel.migrations.statement import Statement

__all__ = ["Address", "foresee"]

Address = tuple[int, int, int]  # which task, which unit, which statement of it
_REWRITING = ("MIG005", "MIG008", "MIG010", "MIG011", "MIG012", "MIG020")
_SCANNING = ("MIG001", "MIG004", "MIG013", "MIG014", "MIG015", "MIG016", "MIG017", "MIG018", "MIG023")
_HIDDEN = {DYNAMIC, "CallStmt"}
_ROUTINE = "what a routine or dynamic SQL does cannot be read from here; `pgkeel migrate trace` runs it"


def foresee(
    tasks: Sequence[Task], applied: Sequence[MigrationFile], target: Target, indexes: Mapping[str, str]
) -> dict[Address, Effect]:
    """Return what each statement does, by its place.

    Args:
        tasks: What is pending, in order.
        applied: Files that ran before; they tell what is proven of columns.
        target: Types and partition keys of the database.
        indexes: The table of each of its indexes.

    Raises:
        NotFound: The parser is not installed.
    """
    history = target.known(_facts_of(applied))
    history.index_tables = {**history.index_tables, **indexes}
    before, numbers, found = Facts(), count(1), {}
    for task_number, task in enumerate(tasks):
        for unit_number, unit in enumerate(task.units):
            number, around = next(numbers), Transaction.EXPLICIT if unit.is_atomic else Transaction.NONE
            for place, statement in enumerate(unit.statements):
                steps = _steps(statement, number, around)
                effect = merge(_judged(step, Scene(before, before, history)) for step in steps or ())
                found[task_number, unit_number, place] = effect if steps is not None else Effect(is_complete=False)
                for step in steps or ():
                    before.observe(step)
    return found


def _facts_of(files: Sequence[MigrationFile]) -> Facts:
    facts = Facts()
    for file in files:
        for number, unit in enumerate(file.up.units):
            for statement in unit.statements:
                for step in _steps(statement, number, Transaction.NONE) or ():
                    facts.observe(step)
    return facts


def _steps(statement: Statement, unit: int, around: Transaction) -> tuple[Step, ...] | None:
    """Return the actions of a statement; None where the parser of PostgreSQL 18 does not know it."""
    try:
        parsed = parse(statement.text)
    except ParseError:
        return None
    return tuple(
        step for kind, node in parsed for step in steps_of(Step(kind, node, "", "", statement.text, Place(""), unit, around))
    )


def _judged(step: Step, scene: Scene) -> Effect:
    hidden = step.kind in _HIDDEN
    return Effect(
        strongest(locks_of(step, scene)),
        tuple(_hit(step, scene, _REWRITING)) or tuple(_emptied(step, scene)),
        tuple(_hit(step, scene, _SCANNING)) + tuple(_beside(step, scene)),
        is_complete=not hidden,
        note=_ROUTINE if hidden else "",
    )


def _hit(step: Step, scene: Scene, codes: Sequence[str]) -> Iterator[str]:
    """Yield the tables that the lint's rules of these codes complain of."""
    yield from (hit.table for code in codes for hit in CHECKS[code].hits(step, scene) if hit.table)


def _emptied(step: Step, scene: Scene) -> Iterator[str]:
    if step.kind in {"TruncateStmt", "RefreshMatViewStmt"} and not step.node.get("concurrent"):
        yield from (lock.table for lock in locks_of(step, scene) if not scene.is_new(lock.table))


def _beside(step: Step, scene: Scene) -> Iterator[str]:
    """Yield what is read in full without being in the way: validation, and builds and refreshes beside traffic."""
    is_marked = step.node.get("concurrent") or option(step.node.get("params", ()), "concurrently") is not None
    if step.kind == "AT_ValidateConstraint" or (step.kind in {"IndexStmt", "RefreshMatViewStmt", "ReindexStmt"} and is_marked):
        yield from (lock.table for lock in locks_of(step, scene) if not scene.is_new(lock.table))
