"""Rules of the design that a program can judge: what they say, what they found, what a team accepts, how it is reported.

The migration lint and the scorecard share them, so that there is one list of codes and one ignore syntax.
"""

from pgkeel.core.rules.acceptance import Acceptances, Ignore, read_ignore
from pgkeel.core.rules.report import Accepted, Outcome, Report, Verdict, judge
from pgkeel.core.rules.rule import Finding, Place, Registry, Rule, Severity
from pgkeel.core.rules.sarif import as_sarif
from pgkeel.core.rules.text import as_github, as_json, as_text

__all__ = [
    "Acceptances",
    "Accepted",
    "Finding",
    "Ignore",
    "Outcome",
    "Place",
    "Registry",
    "Report",
    "Rule",
    "Severity",
    "Verdict",
    "as_github",
    "as_json",
    "as_sarif",
    "as_text",
    "judge",
    "read_ignore",
]
