"""The audit log of the stack: what the models mark is masked, and an external database is asked first."""

from pgkeel.schema.models import Base
from pgkeel.stack.audit import REFERENCE
from tests.projects import Home, running

__all__ = ["running"]


def test_what_the_models_mark_as_secret_or_personal_is_masked_from_the_first_day() -> None:
    for one in REFERENCE:
        columns = Base.metadata.tables[one.table].columns
        marked = {column.name for column in columns if column.info.get("secret") or column.info.get("pii")}
        assert set(one.masked) == marked


def test_a_database_without_a_log_says_how_to_get_one(running: Home) -> None:
    running.ok("psql", "--role", "superuser", "-c", "CREATE DATABASE bare")
    url = running.ok("url", "--role", "owner").replace("/app?", "/bare?")

    code, name, said = running.error("security", "audit", "verify", env={"PGKEEL_DATABASE__URL": url})

    assert (code, name) == (2, "no_audit_log")
    assert "security audit apply" in said
