"""Replication: what subscribers stand on."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import option

__all__: list[str] = []

_SECTION = "Replication"


@rule(
    "MIG065",
    Severity.WARNING,
    "AT_ReplicaIdentity",
    section=_SECTION,
    problem="Without an identity updates and deletes of a published table fail; FULL writes every old row whole into the WAL.",
    fix="REPLICA IDENTITY DEFAULT with a primary key, or USING INDEX with a unique index on NOT NULL columns.",
)
def replica_identity(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find identities that subscribers cannot, or hardly, use."""
    kind = step.node["def"]["ReplicaIdentityStmt"]["identity_type"]
    if scene.is_new(step.table):
        return
    if kind == "n":
        yield Hit(step.table, "its updates and deletes fail while it is published")
    elif kind == "f":
        yield Hit(step.table, "every update and delete writes the whole old row into the WAL", severity=Severity.INFO)


@rule(
    "MIG066",
    Severity.WARNING,
    "CreatePublicationStmt",
    "AlterPublicationStmt",
    "AlterSubscriptionStmt",
    "DropSubscriptionStmt",
    section=_SECTION,
    problem="Subscribers stop getting rows; or, FOR ALL TABLES, tables without a primary key refuse updates and deletes.",
    fix="Publish tables by name; take one away when nobody subscribes to it any more, with an ignore that says so.",
)
def replication_cut(step: Step, _: Scene) -> Iterator[Hit]:
    """Find publications and subscriptions that lose tables, and those that take all."""
    match step.kind:
        case "CreatePublicationStmt":
            if step.node.get("for_all_tables"):
                yield Hit(step.node["pubname"], "tables without a primary key refuse updates and deletes from then on")
        case "AlterPublicationStmt":
            if step.node.get("action") in {"AP_DropObjects", "AP_SetObjects"}:
                yield Hit(step.node["pubname"], "subscribers get no more rows of what is not in it")
        case "DropSubscriptionStmt":
            yield Hit(step.node["subname"], "its tables get no more rows")
        case _:
            enabled = option(step.node.get("options", ()), "enabled")
            if enabled is not None and not enabled.get("arg", {}).get("Boolean", {}).get("boolval"):
                yield Hit(step.node["subname"], "its tables get no more rows, and the publisher keeps its WAL")
