"""`make audit` believes a service only when it knows what is known, and never calls green what nobody was asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import audit

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import json, sys
from pathlib import Path
service, file = sys.argv[sys.argv.index("-s") + 1], Path(sys.argv[sys.argv.index("-r") + 1])
answers = json.loads(Path(__file__).with_suffix(".json").read_text())
assert "--strict" in sys.argv
vulns = answers.get(service, {}).get(file.name)
if vulns is None:
    sys.exit("ERROR: cannot be reached")
print(json.dumps({"dependencies": [{"name": "one", "version": "1", "vulns": vulns}]}))
sys.exit(int(bool(vulns)))
"""
BAD = [{"id": "PYSEC-1", "fix_versions": ["2"]}]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> object:
    """Run the audit with a program that answers as told: service → file → vulnerabilities, None where it does not answer."""

    def run(**answers: dict[str, object]) -> tuple[int, str]:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        program.with_suffix(".json").write_text(json.dumps(answers))
        code = audit.main([sys.executable, str(program)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_clean_lock_is_green_where_the_service_knows_what_is_known(run: object) -> None:
    code, said = run(pypi={"known.txt": BAD, "run.txt": [], "all.txt": []})  # type: ignore[operator]

    assert code == 0
    assert "2 pins of run.txt, all.txt asked at pypi, 0 advisories" in said


def test_a_vulnerable_pin_is_named_with_the_release_that_mends_it(run: object) -> None:
    code, said = run(pypi={"known.txt": BAD, "run.txt": BAD, "all.txt": BAD})  # type: ignore[operator]

    assert code == 1
    assert said.count("one 1: PYSEC-1, fixed in 2") == 1


def test_a_service_that_knows_nothing_is_not_believed_and_the_next_is_asked(run: object) -> None:
    code, said = run(pypi={"known.txt": [], "run.txt": []}, osv={"known.txt": BAD, "run.txt": [], "all.txt": []})  # type: ignore[operator]

    assert (code, "asked at osv" in said) == (0, True)


def test_without_any_service_nothing_is_evaluated(run: object) -> None:
    code, said = run(osv={"known.txt": []})  # type: ignore[operator]

    assert code == audit.UNREACHABLE
    assert said.startswith("not evaluated: no advisory service can be reached (pypi: ERROR")


def test_a_lock_that_the_service_cannot_answer_for_is_not_green(run: object) -> None:
    assert run(pypi={"known.txt": BAD, "run.txt": []})[0] == 1  # type: ignore[operator]


def test_a_planted_flaw_is_a_finding_of_the_check(tmp_path: Path) -> None:
    flaw = tmp_path / "flaw.py"
    flaw.write_text("import pickle\n\n\ndef load(data: bytes) -> object:\n    return eval(data)\n")
    command = [sys.executable, "-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), str(flaw)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "B307" in done.stdout
