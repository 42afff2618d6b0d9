"""Rows: what a migration does to data, and to whom that is in the way."""

from collections.abc import Iterator
from typing import Any

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.inside import DYNAMIC, LOOPED
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step, Transaction
from pgkeel.migrations.lint.tree import constant, relation_name, unwrap, walk

__all__: list[str] = []

_WRITES = ("UpdateStmt", "DeleteStmt")
_STATES = {
    "active",
    "deleted",
    "disabled",
    "enabled",
    "flag",
    "kind",
    "level",
    "plan",
    "role",
    "state",
    "status",
    "type",
    "verified",
}


@rule(
    "MIG039",
    Severity.ERROR,
    "TruncateStmt",
    problem="TRUNCATE loses every row, stops readers and writers, and is not seen by older snapshots.",
    fix="Delete in batches, in a Backfill section; or drop partitions.",
)
def truncate(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find tables that are emptied."""
    for _, relation in map(unwrap, step.node["relations"]):
        if not scene.is_new(relation_name(relation)):
            yield Hit(relation_name(relation), "every row is lost")


@rule(
    "MIG040",
    Severity.ERROR,
    *_WRITES,
    problem="Every row is written in one transaction: writers of the same rows wait until it ends, the table doubles, "
    "replicas fall "
    "behind.",
    fix="Write it as a `-- Backfill Migration` section: batches between :lo and :hi, throttled and resumable.",
)
def write_without_where(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find UPDATE and DELETE that spare no row."""
    where = step.node.get("whereClause")
    if not scene.is_new(step.table) and (where is None or _is_always(where)):
        word = "updated" if step.kind == "UpdateStmt" else "deleted"
        yield Hit(step.table, f"every row is {word} at once", _as_backfill(step), step.table)


def _is_always(where: Node) -> bool:
    """Return whether a condition compares nothing but constants: `true`, `1 = 1`."""
    kinds = {kind for kind, _ in walk(where)}
    return not kinds & {"ColumnRef", "SubLink", "FuncCall"} and constant(where) is not False


def _as_backfill(step: Step) -> str:
    return f"-- Backfill Migration table={step.table} key=id batch=1000 pause=10ms\n{step.text} WHERE id > :lo AND id <= :hi;"


@rule(
    "MIG041",
    Severity.ERROR,
    *_WRITES,
    "InsertStmt",
    "MergeStmt",
    "RefreshMatViewStmt",
    problem="The locks of the schema change are kept for as long as the rows are written.",
    fix="Change the schema in one migration; fill the rows in a `-- Backfill Migration` section, or in a migration of its own.",
)
def backfill_with_schema_change(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find rows that are written in the transaction that changes a table which is in use."""
    if step.transaction is Transaction.NONE or scene.is_new(step.table) or not scene.changes_schema:
        return
    if _is_many(step):
        locked = ", ".join(sorted(scene.changes_schema))
        yield Hit(step.table, f"{locked} stays locked until the rows are written", table=step.table)


def _is_many(step: Step) -> bool:
    """Return whether more than the rows of a VALUES list, or those of one key, are written."""
    if step.kind == "InsertStmt":
        select = step.node.get("selectStmt", {}).get("SelectStmt", {})
        return bool(select.get("fromClause"))
    return step.kind in {"MergeStmt", "RefreshMatViewStmt"} or not _is_bounded(step.node.get("whereClause"), only_equal=True)


@rule(
    "MIG042",
    Severity.WARNING,
    *_WRITES,
    "InsertStmt",
    "MergeStmt",
    LOOPED,
    problem="A fill of all the rows that lack a value, or a copy of a whole table, is one long transaction: writers of the same "
    "rows wait, replicas fall behind.",
    fix="Write it as a `-- Backfill Migration` section: batches between :lo and :hi, throttled and resumable.",
)
def backfill_in_one_transaction(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find fills that choose their rows by nothing that bounds them, copies of whole tables, and batches that are none."""
    if step.kind == LOOPED:
        if not scene.is_new(step.table):
            yield Hit(step.table, "the batches of a loop that never commits are one transaction", table=step.table)
        return
    if step.kind in {"InsertStmt", "MergeStmt"}:
        yield from _copies(step, scene)
        return
    where = step.node.get("whereClause")
    if where is None or _is_always(where) or scene.is_new(step.table):
        return
    if not _is_bounded(where, only_equal=False):
        yield Hit(step.table, "nothing bounds how many rows are written at once", table=step.table)


def _copies(step: Step, scene: Scene) -> Iterator[Hit]:
    select = step.node.get("selectStmt", {}).get("SelectStmt", {})
    sources = [step.node["sourceRelation"]] if "sourceRelation" in step.node else select.get("fromClause", ())
    tables = [relation_name(body) for kind, body in map(unwrap, sources) if kind == "RangeVar"]
    is_few = any(select.get(word) for word in ("limitCount", "groupClause"))
    is_all = not is_few and not _is_bounded(select.get("whereClause"), only_equal=False)
    if is_all and tables and not scene.is_new(step.table) and not any(scene.is_new(table) for table in tables):
        yield Hit(step.table, f"nothing bounds how many rows of {tables[0]} are taken at once", table=tables[0])


def _is_bounded(where: Node | None, *, only_equal: bool) -> bool:
    """Return whether a condition leaves few rows: a key's value, both ends of a range, the rows of another query."""
    if where is None:
        return False
    ends: dict[str, set[str]] = {}
    for kind, body in walk(where):
        if kind in {"SubLink", "SelectStmt", "CurrentOfExpr"} and not only_equal:
            return True
        if kind == "A_Expr" and _bounds(body, ends, only_equal=only_equal):
            return True
    return False


def _bounds(body: Any, ends: dict[str, set[str]], *, only_equal: bool) -> bool:  # noqa: ANN401 - a tree
    """Return whether a comparison bounds the rows, alone or with an earlier one, which is kept in `ends`."""
    column, operator = _key(body.get("lexpr")), body["name"][0]["String"]["sval"]
    if body.get("kind") in {"AEXPR_BETWEEN", "AEXPR_OP_ANY"}:
        return not only_equal
    if body.get("kind") not in {"AEXPR_OP", "AEXPR_IN"}:
        return False
    if operator == "=" and "ColumnRef" in body.get("rexpr", {}):
        return False  # a join
    if operator == "=":
        return column.endswith("id") if only_equal else not _is_state(column)
    ends.setdefault(column, set()).add(operator[:1])
    return not only_equal and ends[column] >= {"<", ">"}


def _is_state(column: str) -> bool:
    """Return whether a column's name promises that many rows share a value."""
    return column in _STATES or column.startswith(("is_", "has_"))


def _key(node: Node | None) -> str:
    fields = node["ColumnRef"]["fields"] if node and "ColumnRef" in node else []
    return str(fields[-1].get("String", {}).get("sval", "")) if fields else ""


@rule(
    "MIG043",
    Severity.WARNING,
    DYNAMIC,
    problem="What is put together at run time can be read by nobody beforehand: neither by a reviewer nor by a rule.",
    fix="Write the statements out. `pgkeel migrate trace` shows the locks that this really takes.",
)
def dynamic_sql(_step: Step, _scene: Scene) -> Iterator[Hit]:
    """Find SQL that cannot be judged."""
    yield Hit("DO", "runs SQL that is put together at run time")


@rule(
    "MIG052",
    Severity.ERROR,
    *_WRITES,
    "InsertStmt",
    problem="A write to the system catalog skips every check and lock that keeps the database whole.",
    fix="Use the statement that is meant for it, e.g. ALTER TABLE.",
)
def catalog_write(step: Step, _: Scene) -> Iterator[Hit]:
    """Find writes to PostgreSQL's own tables."""
    if step.table.startswith(("pg_catalog.", "pg_")) and "." not in step.table.removeprefix("pg_catalog."):
        yield Hit(step.table, "nothing checks what is written there")
