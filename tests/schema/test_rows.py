"""Row classes are real types: for a reader, for mypy, and for the formatter."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from sqlalchemy import MetaData, String, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel.schema import row_class
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.models import Base, Post, User
from pgkeel.schema.row_fields import fields_of
from pgkeel.schema.row_writer import plan_rows, rows_text
from pgkeel.schema.rows import PostRow, UserRow
from tests.conftest import Mypy

ROOT = Path(__file__).parents[2]


class OwnBase(DeclarativeBase):
    metadata = MetaData()


class Colour(StrEnum):
    RED = "red"


class Odd(OwnBase):
    """Columns whose names and types a writer stumbles over."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    date: Mapped[dt.date | None]
    import_: Mapped[str] = mapped_column("import")
    amount: Mapped[Decimal]
    colour: Mapped[Colour]
    untyped = mapped_column(String)
    state: Mapped[
        Literal["a rather long word", "another long word", "a third long word", "a fourth long word", "the fifth long word"]
        | None
    ] = mapped_column(String)
    key = mapped_column(Uuid, nullable=False)
    words: Mapped[
        Literal["a rather long word", "another long word", "a third long word", "a fourth long word", "the fifth long word"]
    ] = mapped_column(String)


class SealedBase(DeclarativeBase):
    metadata = MetaData()


class Letter(SealedBase):
    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    sender: Mapped[str] = Encrypted(index="email")
    body: Mapped[str | None] = Encrypted()


def test_a_sealed_field_is_written_with_a_property_that_opens_it(tmp_path: Path) -> None:
    text = rows_text(SealedBase)
    assert "    sender_sealed: Sealed\n    body_sealed: Sealed | None\n" in text
    assert "bidx" not in text
    assert "        return self.sender_sealed.reveal(self.id)\n" in text
    assert "        return None if self.body_sealed is None else self.body_sealed.reveal(self.id)\n" in text
    assert "from pgkeel.core.cipher import Sealed\n" in text


def test_the_rows_beside_the_reference_models_are_current() -> None:
    plan = plan_rows(Base)

    assert plan.path == ROOT / "src/pgkeel/schema/rows.py"
    assert plan.is_current


def test_a_model_has_the_written_class() -> None:
    assert row_class(Post) is PostRow
    assert row_class(User) is UserRow


def test_rows_are_frozen_and_free_of_the_garbage_collector() -> None:
    config = PostRow.__struct_config__

    assert (config.frozen, config.gc) == (True, False)


def test_a_model_without_a_written_class_gets_one_made() -> None:
    made: Any = row_class(Odd)

    assert made.__name__ == "OddRow"
    assert set(made.__struct_fields__) == {"id", "date", "import_", "amount", "colour", "untyped", "state", "key", "words"}
    assert made is row_class(Odd)


def test_a_field_knows_its_column_and_whether_it_may_be_null() -> None:
    fields = {field.column: field for field in fields_of(Odd)}

    assert fields["import"].name == "import_"
    assert fields["untyped"].kind == str | None
    assert fields["date"].kind == dt.date | None


def test_the_written_module_can_be_imported_with_awkward_names(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("written")
    monkeypatch.setitem(sys.modules, "written", module)
    exec(rows_text(OwnBase), module.__dict__)

    row = msgspec.convert(
        {
            "id": 1,
            "date": None,
            "import_": "x",
            "amount": "1.5",
            "colour": "red",
            "untyped": None,
            "state": None,
            "key": "0" * 32,
            "words": "another long word",
        },
        module.OddRow,
    )

    assert (row.amount, row.colour) == (Decimal("1.5"), Colour.RED)


@pytest.mark.parametrize("base", [Base, OwnBase, SealedBase])
def test_the_formatter_has_nothing_to_say(base: type[DeclarativeBase], tmp_path: Path) -> None:
    for width in ("88", "100", "130"):
        file = tmp_path / "rows.py"
        file.write_text(rows_text(base), encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff"]
        options = ["--isolated", "--target-version", "py311", "--no-cache", str(file)]
        formatted = subprocess.run(
            [*ruff, "format", "--diff", "--line-length", width, *options], capture_output=True, text=True, check=False
        )
        linted = subprocess.run(
            [*ruff, "check", "--select", "I,F,D,RUF,UP,TID", "--ignore", "D203,D213", *options],
            capture_output=True,
            text=True,
            check=False,
        )

        assert formatted.returncode == 0, formatted.stdout
        assert linted.returncode == 0, linted.stdout


def test_the_text_is_the_same_every_time() -> None:
    assert rows_text(OwnBase) == rows_text(OwnBase)


SNIPPET = """
from typing import Generic, TypeVar

from pgkeel.schema import HasRow, row_class
from pgkeel.schema.models import Post

R = TypeVar("R")


class Repository(Generic[R]):
    def get(self) -> R:
        raise NotImplementedError


def repository(model: type[HasRow[R]]) -> Repository[R]:
    return Repository()


post = repository(Post).get()
reveal_type(post)
reveal_type(row_class(Post))
post.title.upper()
post.titel
"""


def test_a_misspelt_field_is_an_error_for_mypy(mypy: Mypy) -> None:
    said = mypy(SNIPPET)

    lines = said.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        'note: Revealed type is "pgkeel.schema.rows.PostRow"',
        'note: Revealed type is "type[pgkeel.schema.rows.PostRow]"',
        'error: "PostRow" has no attribute "titel"; maybe "title"?  [attr-defined]',
    ], said
