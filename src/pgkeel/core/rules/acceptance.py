"""What a team has decided to live with: by key in `pgkeel.toml`, or by a comment beside the SQL. Always with a reason."""

import re
from collections.abc import Mapping

import msgspec

from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.rules.rule import Finding, Registry

__all__ = ["Acceptances", "Ignore", "read_ignore"]

_MARK = re.compile(r"\s*--\s*pgkeel:\s*ignore\b(?P<rest>.*)", re.DOTALL)
_REST = re.compile(r"\s+(?P<codes>[A-Z]{3,4}\d{3}(?:\s*,\s*[A-Z]{3,4}\d{3})*)\s+--\s*(?P<reason>\S.*)", re.DOTALL)
_FORM = "-- pgkeel: ignore IDX002 -- why this one may stay"


class Ignore(msgspec.Struct, frozen=True):
    """The comment `-- pgkeel: ignore RULE[, RULE] -- reason`.

    Attributes:
        codes: The rules it silences.
        reason: Why.
    """

    codes: tuple[str, ...]
    reason: str


def read_ignore(comment: str, registry: Registry) -> Ignore | None:
    """Return what a line comment of SQL silences, or None when it is any other comment.

    The caller's lexer finds the comments, so that a string which merely looks like one is never taken for it.

    Raises:
        UsageError: The reason is missing, or the form is wrong.
        NotFound: A rule does not exist.
    """
    mark = _MARK.fullmatch(comment)
    if mark is None:
        return None
    rest = _REST.fullmatch(mark["rest"].rstrip())
    if rest is None:
        raise UsageError(f"`{comment.strip()}` needs its rules and a reason", hint=f"write {_FORM}")
    codes = tuple(code.strip() for code in rest["codes"].split(","))
    return Ignore(tuple(registry.get(code).code for code in codes), rest["reason"].strip())


class Acceptances:
    """The findings that `[checks] accept` names, each with its reason: `{"IDX002:posts.x" = "small for ever"}`.

    A key is `CODE:object`, or a bare `CODE` for every finding of a rule.
    """

    def __init__(self, accepted: Mapping[str, str], registry: Registry) -> None:
        """Keep the list.

        Raises:
            ConfigError: A key names no rule, or a reason is empty.
        """
        for key, reason in accepted.items():
            code, separator, name = key.partition(":")
            if code not in registry or (separator and not name):
                raise ConfigError(f'checks.accept: "{key}" is not RULE:object of a known rule', hint=_near(code, registry))
            if not reason.strip():
                raise ConfigError(f'checks.accept: "{key}" has no reason', hint="say why it may stay; somebody will ask")
        self._accepted = dict(accepted)

    def reason_for(self, finding: Finding) -> str | None:
        """Return why a finding is accepted, or None."""
        return self._accepted.get(finding.key, self._accepted.get(finding.rule.code))

    def unused(self, findings: tuple[Finding, ...]) -> tuple[str, ...]:
        """Return the keys that none of the findings needs any more, in their order."""
        needed = {finding.key for finding in findings} | {finding.rule.code for finding in findings}
        return tuple(key for key in self._accepted if key not in needed)


def _near(code: str, registry: Registry) -> str:
    try:
        registry.get(code)
    except UsageError as err:
        return err.hint
    return 'write "IDX002:table.constraint" = "reason"'
