"""A project with models of its own that keeps the reference tables beside them."""

from pathlib import Path
from typing import Any

import pytest

from pgkeel.core.project import Project, load
from pgkeel.stack.audit import watched
from pgkeel.stack.keys import field_of, fields_of
from pgkeel.stack.models import soft_deleted_models_of

OWN = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified, SoftDeleted

class Base(DeclarativeBase):
    pass

class Patient(Base, Identified, SoftDeleted):
    __tablename__ = "patients"
    email: Mapped[str] = Encrypted()
    name: Mapped[str] = mapped_column(info={"pii": True})
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "clinic_of_a_test.py").write_text(OWN)
    (tmp_path / "pgkeel.toml").write_text(
        '[schema]\nreference = true\nmodels = "clinic_of_a_test:Base"\n[security]\naudit = ["users", "patients"]\n'
    )
    return load(tmp_path)


def test_encrypted_columns_of_both_are_rotated_and_found(project: Project) -> None:
    assert [field.name for field in fields_of(project)] == ["patients.email", "users.email", "users.phone"]
    assert field_of(project, "users.email").index == "email"
    assert field_of(project, "public.users.email") == field_of(project, "users.email")


def test_secret_and_personal_columns_of_both_are_masked_in_the_audit_log(project: Project) -> None:
    nobody: Any = None  # tables that are named are not looked for
    masked = {one.table: set(one.masked) for one in watched(project, nobody)}
    assert masked["patients"] == {"name"}
    assert {"password_hash", "username", "email_bidx"} <= masked["users"]


def test_soft_deleted_rows_of_both_are_purged(project: Project) -> None:
    assert [model.__name__ for model in soft_deleted_models_of(project)] == ["Patient", "Comment", "Post", "User"]


def test_a_project_without_the_reference_tables_has_its_own_models_only(project: Project) -> None:
    alone = load(project.root, flags={"schema.reference": False})
    assert [field.name for field in fields_of(alone)] == ["patients.email"]
