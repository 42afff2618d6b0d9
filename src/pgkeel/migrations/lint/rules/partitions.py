"""Partitions: attached and detached beside the traffic, with bounds that mean the same everywhere."""

import re
from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import constant, relation_name, unwrap

__all__: list[str] = []

_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_ZONELESS = {"date", "timestamp", "text", "varchar", "time"}


@rule(
    "MIG022",
    Severity.WARNING,
    "CreateStmt",
    section="Partitioning",
    problem="CREATE TABLE … PARTITION OF stops every query on the parent until the transaction ends.",
    fix="CREATE TABLE … (LIKE parent INCLUDING ALL), a CHECK like the bounds, then ATTACH PARTITION, which stops nobody.",
)
def partition_of(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find partitions that are created in their parent's way."""
    if "partbound" not in step.node:
        return
    parent = relation_name(unwrap(step.node["inhRelations"][0])[1])
    if not scene.is_new(parent):
        fix = f"CREATE TABLE {step.table} (LIKE {parent} INCLUDING ALL);\nALTER TABLE {parent} ATTACH PARTITION {step.table} …;"
        yield Hit(step.table, f"every query on {parent} waits", fix)


@rule(
    "MIG023",
    Severity.WARNING,
    "AT_AttachPartition",
    section="Partitioning",
    problem="ATTACH reads every row of the table behind a lock on it, unless a validated CHECK says what the bounds say.",
    fix="ADD CONSTRAINT … CHECK (column >= … AND column < …) NOT VALID, VALIDATE it, then attach, then drop it.",
)
def attach_without_check(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find tables with rows that are attached without a proof of their bounds."""
    if step.target != "OBJECT_TABLE" or scene.is_new(step.table):
        return
    child = relation_name(step.node["def"]["PartitionCmd"]["name"])
    proven = {table for facts in (scene.before, scene.history) for table, _ in facts.proven}
    checked = {table for table, key in scene.before.checks if (table, key) not in scene.before.unproven}
    if not scene.is_new(child) and child not in proven | checked:
        yield Hit(child, "every row of it is read before it is attached", table=child)


@rule(
    "MIG024",
    Severity.WARNING,
    "AT_DetachPartition",
    section="Partitioning",
    problem="DETACH stops every query on the parent.",
    fix="DETACH PARTITION … CONCURRENTLY, outside of BEGIN … COMMIT.",
)
def detach_without_concurrently(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find partitions that are detached in their parent's way."""
    command = step.node["def"]["PartitionCmd"]
    if not command.get("concurrent") and not scene.is_new(step.table):
        child = relation_name(command["name"])
        fix = f"ALTER TABLE {step.table} DETACH PARTITION {child} CONCURRENTLY;"
        yield Hit(child, f"every query on {step.table} waits", fix)


@rule(
    "MIG025",
    Severity.WARNING,
    "CreateStmt",
    "AT_AttachPartition",
    section="Partitioning",
    problem="A bound without an offset is read in the session's time zone: another session makes gaps and overlaps.",
    fix="Write the offset: FROM ('2024-01-01 00:00:00+00').",
)
def bound_without_offset(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find bounds that mean another instant elsewhere."""
    bound, parent, child = _bound(step)
    for side in ("lowerdatums", "upperdatums"):
        for place, datum in enumerate((bound or {}).get(side, ())):
            value = constant(datum)
            is_date = "TypeCast" in datum and "date" in str(datum["TypeCast"]["typeName"])
            if isinstance(value, str) and _TIME.fullmatch(value) and not is_date and _has_zone(scene, parent, place):
                yield Hit(f"{child}: {value}", "another session's time zone moves it", f"'{value}{_offset(value)}'")
                return


def _bound(step: Step) -> tuple[Node | None, str, str]:
    if step.kind == "CreateStmt":
        parents = step.node.get("inhRelations", ())
        return step.node.get("partbound"), relation_name(unwrap(parents[0])[1]) if parents else "", step.table
    command = step.node["def"]["PartitionCmd"]
    return command.get("bound"), step.table, relation_name(command["name"])


def _has_zone(scene: Scene, parent: str, place: int) -> bool:
    """Return whether a part of a key may be a point in time; what is not known may."""
    key = scene.partition_key(parent) or ()
    kind = scene.column_type(parent, key[place]) if place < len(key) else ""
    return kind.partition("(")[0] not in _ZONELESS


def _offset(value: str) -> str:
    return "+00" if ":" in value else " 00:00:00+00"
