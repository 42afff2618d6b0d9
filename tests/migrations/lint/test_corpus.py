"""A line a file: 230 dangerous ones, of which every one is found, and 160 safe ones, in which nothing is."""

from pathlib import Path

from pgkeel.migrations.lint import lint_files

HERE = Path(__file__).parent


def written(corpus: str, folder: Path) -> dict[str, str]:
    lines = (HERE / corpus).read_text().splitlines()
    for number, line in enumerate(lines):
        (folder / f"{number:03}.sql").write_text(line.replace("; ", ";\n") + ";\n")
    return {f"{number:03}.sql": line for number, line in enumerate(lines)}


def found_in(folder: Path) -> set[str]:
    found = lint_files(sorted(folder.glob("*.sql"))).report.findings
    return {Path(finding.place.file).name for finding in found if finding.place}


def test_every_dangerous_statement_is_found(tmp_path: Path) -> None:
    corpus = written("dangerous.txt", tmp_path)

    found = found_in(tmp_path)

    assert [line for name, line in corpus.items() if name not in found] == []


def test_nothing_is_found_in_safe_statements(tmp_path: Path) -> None:
    corpus = written("safe.txt", tmp_path)

    found = found_in(tmp_path)

    assert [line for name, line in corpus.items() if name in found] == []
