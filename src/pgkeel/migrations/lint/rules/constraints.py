"""Constraints: added without a check of the old rows, checked later beside the traffic."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.facts import constraints_of
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step, Transaction
from pgkeel.migrations.lint.tree import relation_name, strings

__all__: list[str] = []

_ADDS = ("AT_AddColumn", "AT_AddConstraint")


def _added(step: Step, scene: Scene, *kinds: str) -> Iterator[tuple[str, str, Node]]:
    """Yield table, name and constraint of those that are added to a table that is in use."""
    for table, column, constraint in constraints_of(step):
        if constraint["contype"] in kinds and not scene.is_new(table):
            columns = column or "_".join(strings(constraint.get("keys", ()) or constraint.get("fk_attrs", ())))
            yield table, constraint.get("conname") or f"{table}.{columns or 'constraint'}", constraint


@rule(
    "MIG014",
    Severity.ERROR,
    *_ADDS,
    problem="A CHECK is tried on every row behind a lock that stops reads and writes.",
    fix="ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.",
)
def check_without_not_valid(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find CHECKs on tables that are in use."""
    for table, name, constraint in _added(step, scene, "CONSTR_CHECK"):
        if not constraint.get("skip_validation") and constraint.get("is_enforced", True):
            yield Hit(name, f"every row of {table} is read while reads and writes wait", _validated(step, table, name), table)


def _validated(step: Step, table: str, name: str) -> str:
    if step.kind == "AT_AddColumn" or "." in name or step.text.count(",") > step.text.count("("):
        return ""
    return f"{step.text} NOT VALID;\nALTER TABLE {table} VALIDATE CONSTRAINT {name};  -- in a transaction of its own"


@rule(
    "MIG015",
    Severity.ERROR,
    *_ADDS,
    problem="A foreign key is checked for every row while writes to both tables wait.",
    fix="ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own: `pgkeel migrate new --recipe add-fk`. "
    "Give a new column its foreign key so, not in ADD COLUMN.",
)
def foreign_key_without_not_valid(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find foreign keys on tables that are in use."""
    for table, name, constraint in _added(step, scene, "CONSTR_FOREIGN"):
        if constraint.get("skip_validation") or not constraint.get("is_enforced", True):
            continue
        parent = relation_name(constraint["pktable"])
        yield Hit(name, f"writes to {table} and {parent} wait until it is checked", _validated(step, table, name), table)


@rule(
    "MIG016",
    Severity.ERROR,
    *_ADDS,
    problem="A UNIQUE or PRIMARY KEY builds its index behind a lock that stops reads and writes.",
    fix="CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX: `pgkeel migrate new --recipe unique`.",
)
def unique_without_index(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find keys that are added without an index that is there already."""
    for table, name, constraint in _added(step, scene, "CONSTR_UNIQUE", "CONSTR_PRIMARY"):
        if not constraint.get("indexname"):
            columns = ", ".join(strings(constraint.get("keys", ())))
            index = name.replace(".", "_")
            fix = f"CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} ({columns});" if columns else ""
            yield Hit(name, f"reads and writes of {table} wait until its index is built", fix, table)


@rule(
    "MIG017",
    Severity.ERROR,
    *_ADDS,
    problem="An exclusion constraint builds its index behind a lock that stops reads and writes; there is no way to add it "
    "beside "
    "traffic.",
    fix="Make a new table that has it and move the rows; or enforce it with a trigger, or a unique index built CONCURRENTLY.",
)
def exclusion_constraint(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find exclusion constraints on tables that are in use."""
    for table, name, _ in _added(step, scene, "CONSTR_EXCLUSION"):
        yield Hit(name, f"reads and writes of {table} wait until its index is built", table=table)


@rule(
    "MIG018",
    Severity.INFO,
    "AT_AddConstraint",
    problem="A primary key makes its columns NOT NULL, which reads the whole table behind a lock unless that is known already.",
    fix="Make the columns NOT NULL first, behind a validated CHECK (column IS NOT NULL).",
)
def primary_key_on_nullable(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find primary keys on an index whose columns are not known to be NOT NULL."""
    for table, name, constraint in _added(step, scene, "CONSTR_PRIMARY"):
        index = str(constraint.get("indexname", ""))
        columns = scene.before.index_columns.get(index) or scene.history.index_columns.get(index) or ()
        if index and not (columns and all(scene.proves_not_null(table, column) for column in columns)):
            yield Hit(name, f"reads {table} unless the columns of {index} are NOT NULL already", table=table)


@rule(
    "MIG019",
    Severity.WARNING,
    "AT_ValidateConstraint",
    problem="VALIDATE reads the table; in the transaction that added the constraint, or changed the table otherwise, the lock of "
    "that is kept for as long.",
    fix="End the transaction between them: BEGIN … COMMIT around each, or two migrations.",
)
def validated_in_same_transaction(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find constraints that are validated while their table is locked."""
    name = step.node["name"]
    is_added_here = scene.before.unproven.get((step.table, name)) == step.unit
    if scene.is_new(step.table) or not (is_added_here or step.table in scene.locked):
        return
    if step.transaction is not Transaction.NONE:
        severity = None if step.transaction is Transaction.EXPLICIT else Severity.INFO
        yield Hit(name, f"{step.table} stays locked while its rows are read", "COMMIT;\nBEGIN;", step.table, severity)


@rule(
    "MIG055",
    Severity.WARNING,
    "AT_DropConstraint",
    problem="Without its primary or unique key a table loses what foreign keys, replication and upserts stand on; CASCADE "
    "drops foreign keys of other tables with it.",
    fix="Make the new key first (CREATE UNIQUE INDEX CONCURRENTLY), drop the foreign keys by name, then exchange the keys.",
)
def drop_key(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find keys that are dropped, and CASCADE."""
    name = step.node["name"]
    if scene.is_new(step.table) or (step.table, name) in scene.before.unproven:
        return
    if step.node.get("behavior") == "DROP_CASCADE":
        yield Hit(name, "CASCADE drops the foreign keys of other tables that use it")
    elif name.endswith("_pkey") and step.table not in scene.whole.primary_keys:
        yield Hit(name, f"{step.table} is left without its primary key")
    elif name.endswith("_key") and not scene.whole.indexes.get(step.table):
        yield Hit(name, f"duplicates get into {step.table}, and upserts that name its columns fail")


@rule(
    "MIG068",
    Severity.WARNING,
    "AT_AlterConstraint",
    problem="NOT ENFORCED lets in rows that break the constraint; ENFORCED again reads every row behind locks on both tables.",
    fix="Leave it enforced; correct the rows that are in the way.",
)
def enforcement_changed(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find constraints that begin or cease to be enforced."""
    change = step.node["def"]["ATAlterConstraint"]
    if change.get("alterEnforceability") and not scene.is_new(step.table):
        what = "every row is checked" if change.get("is_enforced") else "nothing is checked any more"
        yield Hit(change["conname"], what, table=step.table if change.get("is_enforced") else "")
