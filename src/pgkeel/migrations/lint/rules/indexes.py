"""Indexes: built and dropped beside the writers, not in their way."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.facts import constraints_of
from pgkeel.migrations.lint.rules.transactions import is_concurrent
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import names_of, relation_name, strings

__all__: list[str] = []


@rule(
    "MIG001",
    Severity.ERROR,
    "IndexStmt",
    problem="CREATE INDEX holds off every write to the table until the index is built.",
    fix="CREATE INDEX CONCURRENTLY, outside of BEGIN … COMMIT; the runner finishes a build that was stopped.",
)
def index_without_concurrently(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find index builds on tables that are in use."""
    if step.node.get("concurrent") or scene.is_new(step.table) or not step.node["relation"].get("inh"):
        return
    if scene.partition_key(step.table) is not None:
        fix = f"CREATE INDEX … ON ONLY {step.table} …; one CONCURRENTLY on each partition; ALTER INDEX … ATTACH PARTITION …;"
    else:
        fix = step.text.replace("INDEX", "INDEX CONCURRENTLY", 1).replace("index", "index CONCURRENTLY", 1) + ";"
    yield Hit(step.node.get("idxname") or step.table, f"writes to {step.table} wait until the index is built", fix, step.table)


@rule(
    "MIG003",
    Severity.ERROR,
    "DropStmt",
    problem="DROP INDEX waits for every query on the table, and every query behind it waits too.",
    fix="DROP INDEX CONCURRENTLY, outside of BEGIN … COMMIT.",
)
def drop_index_without_concurrently(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find indexes that are dropped in their table's way."""
    if step.node["removeType"] != "OBJECT_INDEX" or step.node.get("concurrent"):
        return
    for name in names_of(step.node["objects"]):
        if not scene.is_new(name):
            table = scene.history.index_tables.get(name, "")
            yield Hit(name, "every query on its table waits", f"DROP INDEX CONCURRENTLY {name};", table)


@rule(
    "MIG004",
    Severity.ERROR,
    "ReindexStmt",
    problem="REINDEX holds off writes, and reads that would use the index, until it is rebuilt.",
    fix="REINDEX … CONCURRENTLY, outside of BEGIN … COMMIT.",
)
def reindex_without_concurrently(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find rebuilds of indexes in the way of queries."""
    relation = relation_name(step.node.get("relation"))
    if not is_concurrent(step) and not scene.is_new(relation):
        name = relation or step.node.get("name", "the database")
        yield Hit(name, "queries wait until it is rebuilt", table=scene.history.index_tables.get(relation, relation))


@rule(
    "MIG054",
    Severity.ERROR,
    "IndexStmt",
    problem="PostgreSQL cannot build an index on a partitioned table with CONCURRENTLY; the migration fails when it runs.",
    fix="CREATE INDEX ON ONLY the parent, CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION.",
)
def concurrently_on_partitioned(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find CONCURRENTLY on tables that are known to be partitioned."""
    if step.node.get("concurrent") and scene.partition_key(step.table) is not None:
        yield Hit(step.node.get("idxname") or step.table, f"{step.table} is partitioned")


@rule(
    "IDX010",
    Severity.WARNING,
    "IndexStmt",
    section="Indexes",
    problem="An index on more than three columns is large, slows every write, and rarely serves more than its first columns.",
    fix="Index the columns that select; put those that are only read into INCLUDE, or make two indexes.",
)
def wide_index(step: Step, _: Scene) -> Iterator[Hit]:
    """Find indexes on more than three columns that enforce nothing."""
    columns = step.node.get("indexParams", ())
    if len(columns) > 3 and not step.node.get("unique") and step.node.get("accessMethod", "btree") == "btree":
        yield Hit(step.node.get("idxname") or step.table, f"{len(columns)} columns")


@rule(
    "IDX002",
    Severity.WARNING,
    "CreateStmt",
    "AT_AddColumn",
    "AT_AddConstraint",
    section="Indexes",
    problem="Without an index on a foreign key, every delete and key change of the parent reads the whole child.",
    fix="Create an index that begins with the foreign key's columns, in the same migration.",
)
def unindexed_foreign_key(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find foreign keys on columns of which the set shows that no index begins with them."""
    for table, column, constraint in constraints_of(step):
        if constraint["contype"] != "CONSTR_FOREIGN":
            continue
        columns = (column,) if column else tuple(strings(constraint.get("fk_attrs", ())))
        is_known = table in scene.whole.created or all((table, name) in scene.whole.added for name in columns)
        if is_known and not scene.whole.indexed(table, columns):
            listed = ", ".join(columns)
            concurrently = "" if table in scene.whole.created else "CONCURRENTLY "
            fix = f"CREATE INDEX {concurrently}{table.replace('.', '_')}_{'_'.join(columns)}_idx ON {table} ({listed});"
            yield Hit(f"{table}.{listed}", "no index begins with the foreign key", fix)
