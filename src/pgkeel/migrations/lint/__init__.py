"""Find what would take the site down, before it runs: rules over PostgreSQL's own grammar, with the target's sizes in mind.

A migration's Up is judged; its Down is not, for it drops what the Up made. Nothing here needs a database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from pgkeel.core.errors import UsageError
from pgkeel.core.rules import Finding, Place, Report
from pgkeel.migrations.lint.changed import changed_since
from pgkeel.migrations.lint.facts import Facts
from pgkeel.migrations.lint.judge import judge_sets, report_of
from pgkeel.migrations.lint.rules import REGISTRY
from pgkeel.migrations.lint.script import Script, read_script
from pgkeel.migrations.lint.squawk import program, second_opinion
from pgkeel.migrations.lint.target import Table, Target, ask
from pgkeel.migrations.source import shown, text_of

__all__ = ["EXAMPLES", "REGISTRY", "Linted", "Table", "Target", "ask", "changed_since", "lint", "lint_files"]

EXAMPLES = Path(__file__).parent / "examples"  # CODE/bad.sql and CODE/good.sql


class Linted(msgspec.Struct, frozen=True):
    """What the lint has to say.

    Attributes:
        report: For the reporters of `core.rules`.
        statements: The statement that begins at a place.
        files: How many files were read.
        notes: What could not be asked, and why.
    """

    report: Report
    statements: Mapping[Place, str]
    files: int
    notes: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the `data` of `--json`."""
        return {
            "files": self.files,
            "notes": list(self.notes),
            "findings": [self._entry(finding) for finding in self.report.findings],
            "accepted": [self._entry(entry.finding) | {"reason": entry.reason} for entry in self.report.accepted],
        }

    def _entry(self, finding: Finding) -> dict[str, Any]:
        place = finding.place or Place("")
        return {
            "code": finding.rule.code,
            "name": finding.rule.name,
            "severity": str(finding.rule.severity),
            "file": place.file,
            "line": place.line,
            "column": place.column,
            "object": finding.object,
            "statement": self.statements.get(place, ""),
            "message": f"{finding.object}: {finding.detail}. {finding.rule.problem}",
            "fix": finding.fix or finding.rule.fix,
            "url": finding.rule.url,
        }


def lint_files(
    paths: Sequence[Path],
    *,
    older: Sequence[Path] = (),
    are_one_set: bool | None = None,
    accepted: Mapping[str, str] | None = None,
    target: Target | None = None,
) -> Linted:
    """Judge files.

    Args:
        paths: The files. Migrations of one folder are judged as one set, in the order of their versions; others alone.
        older: Migrations that ran before; they tell the types of columns, and are not judged.
        are_one_set: False judges every file alone.
        accepted: `[checks] accept`.
        target: What is known of the database; see `ask`.

    Raises:
        BadMigration: A file cannot be read, or is not SQL.
        UsageError: An ignore comment has no reason or names no rule.
    """
    scripts = [read_script(text_of(path), shown(path), REGISTRY) for path in paths]
    before = list(_readable(older))
    return lint(scripts, older=before, are_one_set=are_one_set, accepted=accepted, target=target)


def _readable(paths: Iterable[Path]) -> Iterator[Script]:
    """Yield the scripts of older files; one that cannot be read is somebody else's complaint."""
    for path in paths:
        with suppress(UsageError):
            yield read_script(text_of(path), shown(path), REGISTRY)


def lint(
    scripts: Sequence[Script],
    *,
    older: Iterable[Script] = (),
    are_one_set: bool | None = None,
    accepted: Mapping[str, str] | None = None,
    target: Target | None = None,
) -> Linted:
    """Judge scripts that were read already; see `lint_files`."""
    known, facts = target or Target(), Facts()
    for step in (step for script in older for step in script.steps):
        facts.observe(step)
    found = list(judge_sets(_sets(scripts, are_one_set=are_one_set is not False), facts, known))
    others, note = _asked(scripts)
    found += [(finding, "") for finding in others]
    report = report_of(found, scripts, accepted or {}, known)
    return Linted(report, {step.place: step.text for script in scripts for step in script.steps}, len(scripts), note)


def _asked(scripts: Sequence[Script]) -> tuple[list[Finding], tuple[str, ...]]:
    squawk = program()
    if squawk is None:
        return [], (
            "squawk is not installed, pgkeel's own rules judged alone; pip install 'pgkeel[lint]' brings it where it runs",
        )
    found, note = second_opinion(scripts, squawk)
    return found, (note,) if note else ()


def _sets(scripts: Sequence[Script], *, are_one_set: bool) -> list[list[Script]]:
    """Group migrations by folder, by version; plain files stay alone."""
    sets: dict[object, list[Script]] = {}
    for number, script in enumerate(sorted(scripts, key=lambda script: script.version)):
        key = str(Path(script.file).parent) if script.version and are_one_set else number
        sets.setdefault(key, []).append(script)
    return list(sets.values())
