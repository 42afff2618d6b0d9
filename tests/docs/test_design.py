"""docs/design.md traces every line of docs/database-design.md to a package, to tests that exist, and to its rule."""

import ast
import functools

import pytest

from tests.docs.design import DESIGN, ROOT, TRACE, Entry, design_lines, trace_entries

NOT_YET = "not yet"
ENTRIES = trace_entries(TRACE.read_text(encoding="utf-8"))


def shown(entry: Entry) -> str:
    return f"{entry.heading}: {entry.text}"[:60]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def proofs(entry: Entry) -> list[str]:
    return [part.strip().strip("`") for part in entry.proof.split("<br>") if not part.strip().startswith(NOT_YET)]


def test_the_trace_has_every_line_of_the_design_in_its_order() -> None:
    wanted = design_lines(DESIGN.read_text(encoding="utf-8"))
    assert [(entry.heading, entry.text) for entry in ENTRIES] == [(line.heading, line.text) for line in wanted]


@pytest.mark.parametrize("entry", ENTRIES, ids=shown)
def test_a_line_is_carried_out_by_a_package_that_exists_or_says_when(entry: Entry) -> None:
    package = entry.package.strip("`").removeprefix("pgkeel.")
    exists = (ROOT / "src/pgkeel" / package / "__init__.py").is_file()
    assert exists or NOT_YET in entry.proof


@pytest.mark.parametrize("entry", ENTRIES, ids=shown)
def test_a_line_is_proved_by_tests_that_exist_or_says_when(entry: Entry) -> None:
    assert proofs(entry) or NOT_YET in entry.proof
    for proof in proofs(entry):
        path, separator, name = proof.partition("::")
        assert separator, f"{proof} is not path::name"
        assert (ROOT / path).is_file(), f"{path} does not exist"
        assert name in names_in(path), f"{path} has no {name}"


@pytest.mark.parametrize("entry", ENTRIES, ids=shown)
def test_what_is_not_yet_carried_out_names_the_work_that_will(entry: Entry) -> None:
    for part in entry.proof.split("<br>"):
        if part.strip().startswith(NOT_YET):
            assert part.strip().startswith(f"{NOT_YET} (issue "), part


@pytest.mark.parametrize("entry", ENTRIES, ids=shown)
def test_a_rule_is_written_as_its_code_or_as_a_dash(entry: Entry) -> None:
    assert entry.rule == "—"  # until the checks exist, then: a code of their registry
