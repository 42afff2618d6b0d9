"""Every rule against its own examples, which stand beside it and in docs/rules.md."""

import pytest

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint import EXAMPLES, REGISTRY, lint_files

RULES = [rule.code for rule in REGISTRY]


@pytest.mark.parametrize("code", RULES)
def test_a_rule_finds_its_bad_example(code: str) -> None:
    found = lint_files([EXAMPLES / code / "bad.sql"]).report.findings

    assert code in {finding.rule.code for finding in found}
    assert all(finding.detail and (finding.fix or finding.rule.fix) for finding in found)


@pytest.mark.parametrize("code", RULES)
def test_a_good_example_is_clean_for_every_rule(code: str) -> None:
    found = lint_files([EXAMPLES / code / "good.sql"]).report.findings

    assert [finding.key for finding in found if finding.rule.severity >= Severity.WARNING or finding.rule.code == code] == []


def test_every_example_belongs_to_a_rule() -> None:
    assert sorted(folder.name for folder in EXAMPLES.iterdir()) == RULES
