"""Declare a rule of the lint: what `core.rules` tells about it, and the function that finds what breaks it."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from pgkeel.core.rules import Rule, Severity
from pgkeel.migrations.lint.facts import Facts
from pgkeel.migrations.lint.step import Step

__all__ = ["CHECKS", "Check", "Hit", "Scene", "rule"]


class Hit(msgspec.Struct, frozen=True):
    """What a check found.

    Attributes:
        object: What it is about: `users.email`, `users_email_idx`.
        detail: What happens to it.
        fix: The SQL to write instead, or "" where the rule's own advice is all there is.
        table: The table whose size decides how much it matters; "" where size does not.
        severity: Milder than the rule's own, where a case is.
    """

    object: str
    detail: str
    fix: str = ""
    table: str = ""
    severity: Severity | None = None


class Scene(msgspec.Struct, frozen=True):
    """What surrounds a step.

    Attributes:
        before: What the set made before it.
        whole: What all of the set makes.
        history: What migrations before the set made.
        changes_schema: Existing tables that the transaction changes, before or after the step.
        locked: Those that it has changed before the step, so that they are locked while the step runs.
        is_beside_traffic: What follows the step works beside the traffic: CONCURRENTLY, VALIDATE, VACUUM.
    """

    before: Facts
    whole: Facts
    history: Facts
    changes_schema: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()
    is_beside_traffic: bool = False

    def is_new(self, name: str) -> bool:
        """Return whether something was made by the set, so that nobody uses it yet."""
        return name in self.before.created

    def column_type(self, table: str, column: str) -> str:
        """Return a column's type before the step, or "" where it is not known."""
        return self.before.types.get(table, {}).get(column) or self.history.types.get(table, {}).get(column, "")

    def partition_key(self, table: str) -> tuple[str, ...] | None:
        """Return the columns by which a table is partitioned, or None where that is not known."""
        return self.before.partition_keys.get(table) or self.history.partition_keys.get(table)

    def proves_not_null(self, table: str, column: str) -> bool:
        """Return whether a column can hold no NULL any more."""
        return self.before.proves_not_null(table, column) or self.history.proves_not_null(table, column)


Find = Callable[[Step, Scene], Iterable[Hit]]


class Check(msgspec.Struct, frozen=True):
    """A rule and how it is judged.

    Attributes:
        rule: What it says.
        kinds: The steps that it looks at; empty for all.
        find: What breaks it.
    """

    rule: Rule
    kinds: frozenset[str]
    find: Find

    def hits(self, step: Step, scene: Scene) -> Iterator[Hit]:
        """Yield what a step breaks."""
        if not self.kinds or step.kind in self.kinds:
            yield from self.find(step, scene)


CHECKS: dict[str, Check] = {}


def rule(
    code: str, severity: Severity, *kinds: str, problem: str, fix: str, section: str = "Migrations"
) -> Callable[[Find], Find]:
    """Register a function as the check of a rule that has its name."""

    def register(find: Find) -> Find:
        said = Rule(code, find.__name__, section, severity, problem, fix)
        CHECKS[code] = Check(said, frozenset(kinds), find)
        return find

    return register
