"""`pgkeel schema` shows, draws and writes; `--check` tells, and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cli import main
from pgkeel.core.url import Url
from pgkeel.schema.diagram import as_text, from_metadata
from pgkeel.schema.models import Base
from tests.schema.conftest import engine_of

Run = Callable[..., tuple[int, str, str]]

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped
from pgkeel.schema.mixins import Numbered
from pgkeel.schema.naming import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


class Ship(Base, Numbered):
    __tablename__ = "ships"
    name: Mapped[str]
"""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `pgkeel schema …` in an empty project; gives exit code, stdout, stderr."""
    (tmp_path / "pgkeel.toml").touch()
    monkeypatch.setattr("sys.path", list(__import__("sys").path))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["--project", str(tmp_path), "schema", *arguments])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Models of a project: what `--models` says, and where the rows go."""
    package = f"fleet_{abs(hash(request.node.name))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / "models.py").write_text(MODELS, encoding="utf-8")
    return f"{package}.models:Base", tmp_path / package / "rows.py"


def test_show_lists_tables_and_relationships(run: Run) -> None:
    assert run("show") == (0, as_text(from_metadata(Base.metadata)) + "\n", "")


def test_show_as_json_holds_entities_and_relations(run: Run) -> None:
    code, out, _ = run("show", "--json")
    answer: dict[str, Any] = json.loads(out)

    assert (code, answer["ok"], answer["error"]) == (0, True, None)
    relation = {"parent": "users", "child": "roles", "cardinality": "N:M", "via": "user_roles"}
    assert relation.items() <= next(one for one in answer["data"]["relations"] if one["via"]).items()


@pytest.mark.parametrize(("form", "start"), [("mermaid", "erDiagram\n"), ("dot", "digraph schema {\n"), ("svg", "<svg xmlns=")])
def test_a_diagram_is_drawn_in_every_format(run: Run, form: str, start: str) -> None:
    code, out, _ = run("diagram", "--format", form)

    assert code == 0
    assert out.startswith(start)


def test_a_diagram_is_written_once_and_checked_afterwards(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "schema.svg"
    draw = ("diagram", "--format", "svg", "--output", str(file))

    missing, _, _ = run(*draw, "--check")
    assert not file.exists()
    written = run(*draw)
    current, _, _ = run(*draw, "--check")
    file.write_text("another", encoding="utf-8")
    drifted, out, _ = run(*draw, "--check")

    assert (missing, written, current, drifted) == (1, (0, f"wrote {file}\n", ""), 0, 1)
    assert file.read_text(encoding="utf-8") == "another"
    assert "not up to date" in out


def test_check_without_a_file_is_wrong_usage(run: Run) -> None:
    code, out, err = run("diagram", "--check")

    assert (code, out) == (2, "")
    assert "--output docs/schema.svg" in err


def test_a_database_is_drawn_like_its_models(run: Run, empty_db: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(empty_db)
    Base.metadata.create_all(engine)
    engine.dispose()
    monkeypatch.setenv("THE_DATABASE", empty_db.reveal())
    monkeypatch.setenv("PGKEEL_DATABASE__URL", "env:THE_DATABASE")

    from_models, from_database = (json.loads(run("show", "--json", "--from", origin)[1]) for origin in ("models", "database"))

    assert from_database["data"]["relations"] == from_models["data"]["relations"]
    assert [one["name"] for one in from_database["data"]["entities"]] == [one["name"] for one in from_models["data"]["entities"]]


def test_rows_are_written_beside_the_models_and_drift_is_told(run: Run, fleet: tuple[str, Path]) -> None:
    models, file = fleet

    missing, _, _ = run("rows", "--models", models, "--check")
    dry, text, _ = run("rows", "--models", models, "--dry-run")
    assert not file.exists()
    written, _, _ = run("rows", "--models", models)
    current, _, _ = run("rows", "--models", models, "--check")
    file.write_text(file.read_text(encoding="utf-8").replace("name: str", "name: int"), encoding="utf-8")
    drifted, _, _ = run("rows", "--models", models, "--check")

    assert (missing, dry, written, current, drifted) == (1, 0, 0, 0, 1)
    assert "class ShipRow(Struct, frozen=True, gc=False):" in text
    assert "name: int" in file.read_text(encoding="utf-8")


def test_rows_go_where_the_project_says(run: Run, fleet: tuple[str, Path], tmp_path: Path) -> None:
    models, _ = fleet
    (tmp_path / "pgkeel.toml").write_text(f'[schema]\nmodels = "{models}"\nrows = "elsewhere.py"\n', encoding="utf-8")

    code, out, _ = run("rows", "--json")

    assert code == 0
    assert json.loads(out)["data"] == {"path": str(tmp_path / "elsewhere.py"), "classes": 1, "is_current": False}
    assert (tmp_path / "elsewhere.py").is_file()


@pytest.mark.parametrize("place", ["nowhere:Base", "pgkeel.schema.models:Nothing", "pgkeel.schema.models:text"])
def test_models_that_are_not_there_are_wrong_usage(run: Run, place: str) -> None:
    code, out, _ = run("show", "--models", place, "--json")

    answer = msgspec.json.decode(out)
    assert code == 2
    assert (answer["ok"], answer["error"]["code"]) == (False, "models_not_found")
    assert place in answer["error"]["message"]


def test_the_reference_rows_are_current_by_the_command_too(run: Run) -> None:
    assert run("rows", "--check")[0] == 0
