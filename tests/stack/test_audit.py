"""The audit log of the stack: what the models mark is masked, and an external database is asked first."""

from pathlib import Path

from pgkeel.schema.models import Base
from pgkeel.stack.audit import REFERENCE, masked_columns
from tests.projects import Home, running
from tests.security.test_subjects import Patient
from tests.stack.canary import found_in, places, plant

__all__ = ["running"]


def test_what_the_models_mark_as_secret_or_personal_is_masked_from_the_first_day() -> None:
    for one in REFERENCE:
        assert one.masked == masked_columns(Base.metadata.tables[one.table])


def test_encrypted_columns_stay_encrypted_in_the_log_and_their_digests_are_masked() -> None:
    assert masked_columns(Patient.__table__) == ("email_bidx", "email_bidx_next")


def test_a_database_without_a_log_says_how_to_get_one(running: Home) -> None:
    running.ok("psql", "--role", "superuser", "-c", "CREATE DATABASE bare")
    url = running.ok("url", "--role", "owner").replace("/app?", "/bare?")

    code, name, said = running.error("security", "audit", "verify", env={"PGKEEL_DATABASE__URL": url})

    assert (code, name) == (2, "no_audit_log")
    assert "security audit apply" in said


def test_an_encrypted_value_is_clear_nowhere_and_a_personal_one_in_neither_log(running: Home, tmp_path: Path) -> None:
    canaries = plant(running)

    found = found_in(places(running, tmp_path), [*canaries.sealed, canaries.personal, canaries.secret])

    assert [kind for kind, needles in found.items() if needles & set(canaries.sealed)] == []
    assert {kind for kind, needles in found.items() if canaries.personal in needles} == {"data", "wal", "dump", "cache"}
    assert found["log"] == found["audit"] == set()
