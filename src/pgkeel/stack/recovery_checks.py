"""What this project itself says about a sound database: its migrations' schema, and the assertions of its configuration."""

from collections.abc import Callable, Mapping

from pgkeel.backup.recovery.checks import Check
from pgkeel.core.project import Project
from pgkeel.migrations import project_sources
from pgkeel.migrations.verify import verify
from pgkeel.postgres import Connection

__all__ = ["assertions_of", "schema_check"]

_SHOWN = 3


def assertions_of(project: Project) -> Mapping[str, str]:
    """Return the queries of `[recover] assertions`, by name; the first value of each must be true."""
    return project.config.recover.assertions


def schema_check(project: Project) -> Callable[[Connection], Check]:
    """Return what compares a database with the schema that the last migration run left: its fingerprint is in the ledger."""

    def check(connection: Connection) -> Check:
        verdict = verify(connection, project_sources(project))
        if verdict.expected_from == "nothing":
            return Check("schema", None, "not evaluated: no migration run has noted a fingerprint")
        drift = [f"{one.object}: {one.message}" for one in verdict.violations if one.code == "drift"]
        return Check("schema", not drift, "; ".join(drift[:_SHOWN]) or f"fingerprint {verdict.fingerprint[:16]}")

    return check
