"""Reports for people, for programs and for a pull request's page."""

from collections.abc import Iterator
from typing import Any

from pgkeel.core.rules.report import Outcome, Report, Verdict
from pgkeel.core.rules.rule import Finding, Severity

__all__ = ["as_github", "as_json", "as_text"]

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_text(report: Report) -> str:
    """Return what a person reads: a line a finding, its fix below, and the sum at the end."""
    return "\n".join([*_text_lines(report), _sum(report)])


def _text_lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        place = f"{finding.place}: " if finding.place else ""
        yield _printable(f"{place}{finding.rule.code} {finding.rule.severity}: {finding.object}: {finding.detail}")
        yield from (_printable(f"  → {line}") for line in (finding.fix or finding.rule.fix).splitlines())
    for entry in report.accepted:
        yield _printable(f"{entry.finding.key} is accepted: {entry.reason}")
    for verdict in report.with_outcome(Outcome.NOT_EVALUATED):
        yield _printable(f"{verdict.rule.code} was not evaluated: {verdict.reason}")
    for key in report.unused:
        yield _printable(f'"{key}" in checks.accept is not needed any more')


def _sum(report: Report) -> str:
    severities = ", ".join(f"{report.count(severity)} {severity}" for severity in reversed(Severity) if report.count(severity))
    counts = [f"{len(report.findings)} open" + (f" ({severities})" if severities else "")]
    counts += [f"{len(report.accepted)} accepted"] if report.accepted else []
    for outcome in (Outcome.PASSED, Outcome.NOT_EVALUATED, Outcome.NOT_APPLICABLE):
        if found := report.with_outcome(outcome):
            counts.append(f"{len(found)} rules {outcome}")
    return " · ".join(counts)


def _printable(text: str) -> str:
    """Return the text without the characters that would drive a terminal: names come from databases of others."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def as_json(report: Report) -> dict[str, Any]:
    """Return the `data` object of `--json`."""
    return {
        "summary": {
            "open": {str(severity): report.count(severity) for severity in reversed(Severity)},
            "accepted": len(report.accepted),
            **{outcome.replace(" ", "_"): len(report.with_outcome(outcome)) for outcome in Outcome},
        },
        "findings": [_finding(finding) for finding in report.findings],
        "accepted": [_finding(entry.finding) | {"reason": entry.reason} for entry in report.accepted],
        "not_evaluated": [_reason(verdict) for verdict in report.with_outcome(Outcome.NOT_EVALUATED)],
        "not_applicable": [_reason(verdict) for verdict in report.with_outcome(Outcome.NOT_APPLICABLE)],
        "passed": [verdict.rule.code for verdict in report.with_outcome(Outcome.PASSED)],
        "unused": list(report.unused),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "key": finding.key,
        "rule": finding.rule.code,
        "name": finding.rule.name,
        "severity": str(finding.rule.severity),
        "section": finding.rule.section,
        "object": finding.object,
        "detail": finding.detail,
        "fix": finding.fix,
        "url": finding.rule.url,
        "place": {"file": place.file, "line": place.line, "column": place.column} if place else None,
    }


def _reason(verdict: Verdict) -> dict[str, str]:
    return {"rule": verdict.rule.code, "reason": verdict.reason}


def as_github(report: Report) -> str:
    """Return workflow commands that GitHub shows as annotations; what could not be evaluated is a warning."""
    lines = [_annotation(finding) for finding in report.findings]
    for verdict in report.with_outcome(Outcome.NOT_EVALUATED):
        title = _property(f"{verdict.rule.code} {verdict.rule.name}")
        lines.append(f"::warning title={title}::{_data(f'not evaluated: {verdict.reason}')}")
    return "\n".join(lines)


def _annotation(finding: Finding) -> str:
    place = finding.place
    where = f"file={_property(place.file)},line={place.line},col={place.column}," if place else ""
    title = _property(f"{finding.rule.code} {finding.rule.name}")
    message = f"{finding.object}: {finding.detail}" + (f"\n{finding.fix}" if finding.fix else "")
    return f"::{_COMMANDS[finding.rule.severity]} {where}title={title}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message as the runner's toolkit does (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
