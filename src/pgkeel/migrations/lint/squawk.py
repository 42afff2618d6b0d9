"""A second opinion: squawk (Apache-2.0 or MIT), where it is installed. Without it our own rules judge alone, and say so.

Its names are mapped to our codes. Where one of our rules looks at the kind of statement, ours has the last word: it knows the
set, older migrations and the target, and is silent about a varchar that grows or a CHECK that has done its service.
"""

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pgkeel.core.rules import Finding
from pgkeel.migrations.lint.check import CHECKS
from pgkeel.migrations.lint.script import Script
from pgkeel.migrations.lint.step import Step

__all__ = ["CODES", "program", "second_opinion"]

# squawk 2.70; what is not here is not asked for: timeouts (the runner sets them), IF EXISTS, text for varchar, bigint for all
CODES: Mapping[str, str] = {
    "adding-field-with-default": "MIG010",
    "adding-foreign-key-constraint": "MIG015",
    "adding-not-nullable-field": "MIG013",
    "adding-required-field": "MIG009",
    "adding-serial-primary-key-field": "MIG016",
    "ban-alter-domain-with-add-constraint": "MIG020",
    "ban-alter-system": "SEC107",
    "ban-char-field": "SCH013",
    "ban-concurrent-index-creation-in-transaction": "MIG002",
    "ban-create-domain-with-constraint": "MIG020",
    "ban-disable-trigger": "MIG045",
    "ban-drop-column": "MIG030",
    "ban-drop-database": "MIG032",
    "ban-drop-default": "MIG056",
    "ban-drop-generated-expression": "MIG056",
    "ban-drop-not-null": "MIG048",
    "ban-drop-schema": "MIG032",
    "ban-drop-table": "MIG031",
    "ban-drop-type": "MIG033",
    "ban-set-schema": "MIG038",
    "ban-truncate-cascade": "MIG039",
    "changing-column-type": "MIG008",
    "constraint-missing-not-valid": "MIG014",
    "disallowed-unique-constraint": "MIG016",
    "identifier-too-long": "SCH016",
    "prefer-timestamp-tz": "SCH012",
    "renaming-column": "MIG034",
    "renaming-object": "MIG037",
    "renaming-table": "MIG035",
    "require-concurrent-index-creation": "MIG001",
    "require-concurrent-index-deletion": "MIG003",
    "require-concurrent-partition-detach": "MIG024",
    "require-concurrent-refresh": "MIG006",
    "require-concurrent-reindex": "MIG004",
}


def program() -> str | None:
    """Return squawk's path: that of our own environment first."""
    return shutil.which("squawk", path=sysconfig.get_path("scripts")) or shutil.which("squawk")


def second_opinion(scripts: Sequence[Script], squawk: str) -> tuple[list[Finding], str]:
    """Return what squawk finds where no rule of ours looks, and a note when it could not be asked."""
    with TemporaryDirectory(prefix="pgkeel-lint-") as folder:
        names = [f"{number}.sql" for number in range(len(scripts))]
        for name, script in zip(names, scripts, strict=True):
            Path(folder, name).write_text(script.text, encoding="utf-8")
        argv = [squawk, "--reporter", "json", "--pg-version", "17.0", *names]
        try:
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
            said: list[dict[str, Any]] = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as err:
            return [], f"squawk could not be asked ({type(err).__name__}); pgkeel's own rules judged alone"
    return [finding for entry in said for finding in _findings(entry, scripts)], ""


def _findings(entry: Mapping[str, Any], scripts: Sequence[Script]) -> Iterator[Finding]:
    code = CODES.get(str(entry["rule_name"]))
    script = scripts[int(Path(str(entry["file"])).stem)]
    steps = _statement(script, int(entry["line"]) + 1)
    if code is None or not steps or any(_is_ours(code, step) for step in steps):
        return
    rule, step = CHECKS[code].rule, steps[0]
    yield Finding(rule, step.table or " ".join(step.text.split()[:3]), str(entry["message"]), place=step.place)


def _statement(script: Script, line: int) -> list[Step]:
    """Return the steps of the statement that a line belongs to."""
    before = [step for step in script.steps if step.place.line <= line]
    return [step for step in before if step.place == before[-1].place]


def _is_ours(code: str, step: Step) -> bool:
    kinds = CHECKS[code].kinds
    return not kinds or step.kind in kinds
