"""Transactions: what PostgreSQL refuses in one, and what should not share one."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step, Transaction
from pgkeel.migrations.lint.tree import constant, option, walk

__all__: list[str] = []

_ALONE = {
    "VacuumStmt": "VACUUM",
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "AlterSystemStmt": "ALTER SYSTEM",
}
_QUIET = {
    "AT_ValidateConstraint",
    "AT_SetStatistics",
    "AT_SetOptions",
    "AT_ResetOptions",
    "AT_AttachPartition",
    "AT_SetRelOptions",
}


@rule(
    "MIG002",
    Severity.ERROR,
    "IndexStmt",
    "DropStmt",
    "ReindexStmt",
    "ClusterStmt",
    "AT_DetachPartition",
    *_ALONE,
    problem="PostgreSQL refuses CONCURRENTLY, VACUUM and the like inside a transaction; the migration fails when it runs.",
    fix="Move the statement out of BEGIN … COMMIT.",
)
def refused_in_transaction(step: Step, _: Scene) -> Iterator[Hit]:
    """Find what cannot run between BEGIN and COMMIT."""
    what = _needs_no_transaction(step)
    if what and step.transaction is Transaction.EXPLICIT:
        yield Hit(step.node.get("idxname") or step.table or what, f"{what} cannot run between BEGIN and COMMIT")


def _needs_no_transaction(step: Step) -> str:
    if step.kind in _ALONE:
        return "" if step.kind == "VacuumStmt" and not step.node.get("is_vacuumcmd") else _ALONE[step.kind]
    if step.kind == "ClusterStmt":
        return "" if step.node.get("relation") else "CLUSTER"
    if step.kind == "ReindexStmt" and step.node.get("kind") not in {"REINDEX_OBJECT_INDEX", "REINDEX_OBJECT_TABLE"}:
        return "REINDEX"
    return "CONCURRENTLY" if is_concurrent(step) else ""


def is_concurrent(step: Step) -> bool:
    """Return whether a step works beside the traffic."""
    if step.kind == "AT_DetachPartition":
        return bool(step.node["def"]["PartitionCmd"].get("concurrent"))
    return bool(step.node.get("concurrent")) or option(step.node.get("params", ()), "concurrently") is not None


@rule(
    "MIG057",
    Severity.ERROR,
    problem="PostgreSQL refuses to use a new value of an enum before the transaction that added it has ended (55P04).",
    fix="ADD VALUE in a migration of its own; use the value in the next.",
)
def enum_value_used_where_added(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find values of an enum in the transaction that adds them."""
    fresh = {value for value, unit in scene.before.enum_values.items() if unit == step.unit}
    if not fresh or step.kind == "AlterEnumStmt" or step.transaction is Transaction.NONE:
        return
    used = {constant({kind: body}) for kind, body in walk(step.node) if kind == "A_Const"}
    yield from (Hit(value, "it cannot be used before the transaction ends") for value in sorted(fresh & used))


@rule(
    "MIG058",
    Severity.ERROR,
    "DropStmt",
    "RefreshMatViewStmt",
    "ReindexStmt",
    problem="PostgreSQL has no such form; the migration fails when it runs.",
    fix="DROP INDEX CONCURRENTLY takes one index and no CASCADE; REFRESH … CONCURRENTLY cannot leave out the data.",
)
def refused_by_server(step: Step, _: Scene) -> Iterator[Hit]:
    """Find forms that the grammar lets through and the server does not."""
    if not is_concurrent(step):
        return
    if step.kind == "ReindexStmt":
        if step.node.get("kind") == "REINDEX_OBJECT_SYSTEM":
            yield Hit(step.node.get("name", "the catalog"), "the catalog's indexes are not rebuilt CONCURRENTLY")
    elif step.kind == "RefreshMatViewStmt":
        if step.node.get("skipData"):
            yield Hit(step.table, "CONCURRENTLY and WITH NO DATA exclude each other")
    elif len(step.node["objects"]) > 1 or step.node.get("behavior") == "DROP_CASCADE":
        yield Hit("DROP INDEX CONCURRENTLY", "it drops one index, without CASCADE")


@rule(
    "MIG059",
    Severity.WARNING,
    problem="The locks of the first tables are kept while the next ones are waited for: long stalls, and deadlocks with programs "
    "that touch the tables in another order.",
    fix="A transaction for each table: BEGIN … COMMIT around each change, or a migration each.",
)
def several_tables_locked(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find transactions that change a second table which is in use."""
    is_quiet = step.kind in _QUIET or "INDEX" in step.node.get("renameType", step.target)
    is_change = not is_quiet and (step.kind == "RenameStmt" or step.kind.startswith("AT_"))
    if step.transaction is not Transaction.EXPLICIT or not is_change or step.table not in scene.changes_schema:
        return
    others = scene.locked - {step.table}
    if others and step.table not in scene.locked:
        yield Hit(step.table, f"{', '.join(sorted(others))} stays locked while {step.table} is waited for")
