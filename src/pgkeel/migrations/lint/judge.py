"""Judge scripts: alone or as one set, in the light of older migrations and of the target's sizes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from pgkeel.core.rules import Acceptances, Accepted, Finding, Report, Verdict
from pgkeel.core.rules import judge as report_on
from pgkeel.migrations.lint.check import CHECKS, Check, Hit, Scene
from pgkeel.migrations.lint.facts import Facts
from pgkeel.migrations.lint.rules import REGISTRY
from pgkeel.migrations.lint.script import Script
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.target import Table, Target

__all__ = ["judge_sets", "report_of"]

_ROOM = 1_000_000  # units of one script; no file has as many statements
_QUIET = {"AT_ValidateConstraint", "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_ClusterOn", "AT_ReplicaIdentity"}
_CHANGES = {"RenameStmt", "CreateTrigStmt", "RuleStmt", "AlterObjectSchemaStmt", "IndexStmt"}

Found = tuple[Finding, str]  # a finding and the table whose size matters


def judge_sets(sets: Iterable[Sequence[Script]], older: Facts, target: Target) -> Iterator[Found]:
    """Yield what breaks a rule.

    Args:
        sets: Scripts that run one after the other, each as the others left the schema.
        older: What migrations before them made; what the sets make is added as they are judged.
        target: What is known of the database they will run on.
    """
    for scripts in sets:
        yield from _judge_set(scripts, target.known(older))
        for step in (step for script in scripts if script.version for step in script.steps):
            older.observe(step)


def _judge_set(scripts: Sequence[Script], history: Facts) -> Iterator[Found]:
    steps = [
        msgspec.structs.replace(step, unit=step.unit + number * _ROOM)
        for number, script in enumerate(scripts)
        for step in script.steps
    ]
    whole, before = Facts(), Facts()
    for step in steps:
        whole.observe(step)
    changed = _changed(steps, whole)
    locked: defaultdict[int, set[str]] = defaultdict(set)
    for step, following in zip(steps, [*steps[1:], None], strict=False):
        others = changed.get(step.unit, frozenset())
        scene = Scene(before, whole, history, others, frozenset(locked[step.unit]), _is_beside_traffic(following))
        for check in CHECKS.values():
            yield from (_finding(check, hit, step) for hit in check.hits(step, scene))
        before.observe(step)
        locked[step.unit] |= {step.table} & others if _is_change(step) else set()


def _changed(steps: Iterable[Step], whole: Facts) -> Mapping[int, frozenset[str]]:
    """Return, by unit, the tables that were there before and are locked by a change of their schema."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for step in steps:
        if _is_change(step) and step.table and step.table not in whole.created:
            found[step.unit].add(step.table)
    return {unit: frozenset(tables) for unit, tables in found.items()}


def _is_change(step: Step) -> bool:
    return (step.kind.startswith("AT_") and step.kind not in _QUIET) or step.kind in _CHANGES


def _is_beside_traffic(step: Step | None) -> bool:
    if step is None:
        return False
    words = step.text.upper().split()
    return step.kind in {"AT_ValidateConstraint", "VacuumStmt"} or "CONCURRENTLY" in words or "(CONCURRENTLY)" in words


def _finding(check: Check, hit: Hit, step: Step) -> Found:
    severity = hit.severity or check.rule.severity
    rule = msgspec.structs.replace(check.rule, severity=severity)
    return Finding(rule, hit.object, hit.detail, hit.fix, step.place), hit.table


def report_of(found: Iterable[Found], scripts: Iterable[Script], accepted: Mapping[str, str], target: Target) -> Report:
    """Return the report: comments beside the SQL, the configuration and small tables each set findings apart."""
    kept = list(dict.fromkeys(found))
    silences = {script.file: script.silences for script in scripts}
    ignored: list[Accepted] = []
    for finding, table in kept:
        place = finding.place
        reason = next(
            (
                silence.ignore.reason
                for silence in silences.get(place.file if place else "", ())
                if place and silence.first <= place.line <= silence.last and finding.rule.code in silence.ignore.codes
            ),
            None,
        )
        size = target.tables.get(table, Table())
        if reason is not None:
            ignored.append(Accepted(finding, reason, is_in_source=True))
        elif size.is_small:
            ignored.append(Accepted(finding, f"{table} is small where it will run: {size}"))
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding, _ in kept:
        by_code[finding.rule.code].append(finding)
    verdicts = [Verdict.of(rule, by_code[rule.code]) for rule in REGISTRY]
    own = {key: reason for key, reason in accepted.items() if key.partition(":")[0] in REGISTRY}
    return report_on(verdicts, Acceptances(own, REGISTRY), ignored=ignored)
