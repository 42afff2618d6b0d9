"""What this project itself says about a sound database: its migrations' schema, and the assertions of its configuration."""

from collections.abc import Mapping

from pgkeel.backup.recovery.checks import Check
from pgkeel.core.project import Project
from pgkeel.migrations import project_sources
from pgkeel.migrations.drift import drift_between, recall
from pgkeel.postgres import Connection
from pgkeel.postgres.catalog import snapshot

__all__ = ["assertions_of", "schema_check"]

_SCHEMAS, _SHOWN = ("public",), 3


def assertions_of(project: Project) -> Mapping[str, str]:
    """Return the queries of `[recover] assertions`, by name; the first value of each must be true."""
    return project.config.recover.assertions


def schema_check(project: Project, connection: Connection) -> Check:
    """Compare a database with the schema whose fingerprint its last migration run left in the ledger.

    What is missing is a fault. What somebody added or changed by hand was so before, and is only told.
    """
    names = [source.name for source in project_sources(project)]
    expected, found = recall(connection, _SCHEMAS, names), snapshot(connection, schemas=_SCHEMAS)
    if expected is None:
        return Check("schema", None, "not evaluated: no migration run has noted a fingerprint")
    drift = drift_between(expected, found)
    missing = [f"{one.kind} {one.name}" for one in drift if one.right is None]
    by_hand = f"; {len(drift)} differences that were made by hand" if drift else ""
    told = f"missing: {', '.join(missing[:_SHOWN])}" if missing else f"fingerprint {found.fingerprint[:16]}{by_hand}"
    return Check("schema", not missing, told)
