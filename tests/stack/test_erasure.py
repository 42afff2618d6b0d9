"""A person is erased, or the command says that there is none: nobody believes somebody gone who is still there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.core.errors import NotFound
from pgkeel.core.ids import random_id
from pgkeel.core.project import Project, load
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.keys import ensure, ensure_local_key, load_ring, provider_from
from pgkeel.stack.erasure import erase_person, erased_persons
from tests.security.sealed_table import make_table

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped

from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified

class Base(DeclarativeBase):
    pass

class Member(Base, Identified):
    __tablename__ = "people"
    email: Mapped[str] = Encrypted(index="email", unique=True, subject=True)
    note: Mapped[str | None] = Encrypted(subject=True)
"""


@pytest.fixture
def connection(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        make_table(opened)
        yield opened


@pytest.fixture
def project(tmp_path: Path, empty_db: Url, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("URL_OF_A_TEST", empty_db.reveal())
    (tmp_path / "members_of_a_test.py").write_text(MODELS)
    (tmp_path / "pgkeel.toml").write_text(
        '[database]\nurl = "env:URL_OF_A_TEST"\n[schema]\nreference = false\nmodels = "members_of_a_test:Base"\n'
    )
    ensure_local_key(tmp_path / "fields.key")
    ensure(connection, provider_from("file:fields.key", tmp_path))
    return load(tmp_path)


def test_an_id_that_nobody_has_is_said_and_not_noted(project: Project, connection: Connection) -> None:
    for is_dry in (True, False):
        with pytest.raises(NotFound) as caught:
            erase_person(project, str(random_id()), dry_run=is_dry)
        assert caught.value.hint
    assert erased_persons(project) == ()
    assert connection.execute("SELECT FROM pgkeel.subject_keys").fetchall() == []


def test_a_person_with_a_row_or_with_a_key_alone_is_erased_and_may_be_erased_again(
    project: Project, connection: Connection, empty_db: Url
) -> None:
    ring = load_ring(connection, provider_from("file:fields.key", project.root), lambda: connect(empty_db))
    gone, here = random_id(), random_id()
    ring.field("people", "note", by_subject=True).seal(gone, b"of somebody whose row was deleted")
    sealed = ring.field("people", "note").seal(here, b"not sealed by person yet")
    connection.execute(
        "INSERT INTO people (id, email, email_bidx, note) VALUES (%s, %s, %s, %s)", (here, sealed, b"digest", sealed)
    )
    assert ring.subjects is not None
    ring.subjects.close()
    for _ in range(2):
        assert {each.rows for each in erase_person(project, str(gone).upper(), dry_run=False)} == {0}
    assert [each.rows for each in erase_person(project, str(here), dry_run=False)] == [1, 1]
    assert [each.rows for each in erase_person(project, str(here), dry_run=False)] == [0, 0]
    assert erased_persons(project) == (str(gone), str(here))
