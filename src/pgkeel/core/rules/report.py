"""What a run of rules says. A rule that could not run is "not evaluated": a different word from "passed"."""

import enum
from collections.abc import Iterable

import msgspec

from pgkeel.core.rules.acceptance import Acceptances
from pgkeel.core.rules.rule import Finding, Rule, Severity

__all__ = ["Accepted", "Outcome", "Report", "Verdict", "judge"]


class Outcome(enum.StrEnum):
    """How one rule came out."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EVALUATED = "not evaluated"
    NOT_APPLICABLE = "not applicable"


class Verdict(msgspec.Struct, frozen=True):
    """What one rule said, before anything was accepted.

    Attributes:
        rule: The rule.
        outcome: How it came out.
        findings: What breaks it.
        reason: Why it was not evaluated, or does not apply.
    """

    rule: Rule
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, rule: Rule, findings: Iterable[Finding]) -> "Verdict":
        """Return the verdict of a rule that ran: passed without findings, else failed."""
        found = tuple(findings)
        return cls(rule, Outcome.FAILED if found else Outcome.PASSED, found)

    @classmethod
    def not_evaluated(cls, rule: Rule, reason: str) -> "Verdict":
        """Return the verdict of a rule that could not run, e.g. for want of a privilege."""
        return cls(rule, Outcome.NOT_EVALUATED, reason=reason)

    @classmethod
    def not_applicable(cls, rule: Rule, reason: str) -> "Verdict":
        """Return the verdict of a rule that has nothing to judge here."""
        return cls(rule, Outcome.NOT_APPLICABLE, reason=reason)


class Accepted(msgspec.Struct, frozen=True):
    """A finding that the team lives with, and why.

    Attributes:
        finding: What was found.
        reason: Why it may stay.
        is_in_source: Whether a comment beside the SQL says so, not the configuration.
    """

    finding: Finding
    reason: str
    is_in_source: bool = False


class Report(msgspec.Struct, frozen=True):
    """All verdicts of a run.

    Attributes:
        verdicts: One a rule, in the order of the registry.
        findings: What is open, the worst first.
        accepted: What is accepted.
        unused: Acceptances that nothing needs any more.
    """

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...] = ()
    unused: tuple[str, ...] = ()

    def with_outcome(self, outcome: Outcome) -> tuple[Verdict, ...]:
        """Return the verdicts that came out so."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is outcome)

    def count(self, severity: Severity) -> int:
        """Count the open findings of one severity."""
        return sum(finding.rule.severity is severity for finding in self.findings)

    def exit_code(self, fail_on: Severity = Severity.INFO) -> int:
        """Return 1 when an open finding is at least that severe, else 0."""
        return int(any(finding.rule.severity >= fail_on for finding in self.findings))


def judge(verdicts: Iterable[Verdict], acceptances: Acceptances, *, ignored: Iterable[Accepted] = ()) -> Report:
    """Return the report: findings that `[checks] accept` or a comment beside the SQL names are set apart.

    Args:
        verdicts: What the rules said.
        acceptances: The configuration's list.
        ignored: What comments silenced; these findings are among the verdicts' too.
    """
    kept = tuple(verdicts)
    found = tuple(finding for verdict in kept for finding in verdict.findings)
    in_source = tuple(ignored)
    silenced = {entry.finding for entry in in_source}
    by_config = tuple(
        Accepted(finding, reason)
        for finding in found
        if finding not in silenced and (reason := acceptances.reason_for(finding)) is not None
    )
    closed = silenced | {entry.finding for entry in by_config}
    open_ones = sorted((finding for finding in found if finding not in closed), key=_worst_first)
    return Report(kept, tuple(open_ones), in_source + by_config, acceptances.unused(found))


def _worst_first(finding: Finding) -> tuple[int, str, str, str]:
    return (-finding.rule.severity, finding.rule.code, finding.object, str(finding.place or ""))
