"""Reports as SARIF 2.1.0 (OASIS), which code hosts and editors read."""

import hashlib
from typing import Any
from urllib.parse import quote

from pgkeel.core.rules.report import Accepted, Outcome, Report, Verdict
from pgkeel.core.rules.rule import Finding, Rule, Severity

__all__ = ["as_sarif"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_sarif(report: Report, *, version: str) -> dict[str, Any]:
    """Return one SARIF log with one run.

    What is accepted stays in the log with a suppression; what could not be evaluated is a notification of the tool.
    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

    Args:
        report: What to tell.
        version: The version of pgkeel that made it.
    """
    indexes = {verdict.rule.code: index for index, verdict in enumerate(report.verdicts)}
    results = [_result(finding, indexes) for finding in report.findings]
    results += [_result(entry.finding, indexes) | {"suppressions": [_suppression(entry)]} for entry in report.accepted]
    notifications = [_notification(verdict, indexes) for verdict in report.with_outcome(Outcome.NOT_EVALUATED)]
    driver = {
        "name": "pgkeel",
        "version": version,
        "informationUri": "https://github.com/pgkeel/pgkeel",
        "rules": [_descriptor(verdict.rule) for verdict in report.verdicts],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "results": results,
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.name.replace("_", " ")},
        "fullDescription": {"text": rule.problem},
        "help": {"text": rule.fix},
        "helpUri": rule.url,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"section": rule.section},
    }


def _result(finding: Finding, indexes: dict[str, int]) -> dict[str, Any]:
    fix = f"\n{finding.fix}" if finding.fix else ""
    fingerprint = hashlib.sha256(f"{finding.rule.code}|{finding.object}".encode()).hexdigest()
    return {
        "ruleId": finding.rule.code,
        "ruleIndex": indexes[finding.rule.code],
        "level": _LEVELS[finding.rule.severity],
        "message": {"text": f"{finding.object}: {finding.detail}{fix}"},
        "locations": [_location(finding)],
        "partialFingerprints": {"pgkeel/v1": fingerprint},
    }


def _location(finding: Finding) -> dict[str, Any]:
    logical = {"logicalLocations": [{"fullyQualifiedName": finding.object}]}
    if finding.place is None:
        return logical
    artifact = {"uri": quote(finding.place.file), "uriBaseId": "%SRCROOT%"}
    region = {"startLine": finding.place.line, "startColumn": finding.place.column}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}} | logical


def _suppression(entry: Accepted) -> dict[str, str]:
    return {"kind": "inSource" if entry.is_in_source else "external", "justification": entry.reason}


def _notification(verdict: Verdict, indexes: dict[str, int]) -> dict[str, Any]:
    return {
        "level": "warning",
        "message": {"text": f"{verdict.rule.code} was not evaluated: {verdict.reason}"},
        "associatedRule": {"id": verdict.rule.code, "index": indexes[verdict.rule.code]},
    }
