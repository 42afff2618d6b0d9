"""Columns: what can be added and changed without reading or writing every row."""

import re
from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.facts import new_columns
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import column_constraints, has_type, strings, type_name, type_text
from pgkeel.migrations.lint.volatility import volatile_function

__all__: list[str] = []

_SERIAL = ("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8")


def _existing(step: Step, scene: Scene) -> Iterator[tuple[str, Node]]:
    return (found for found in new_columns(step) if step.kind == "AT_AddColumn" and not scene.is_new(found[0]))


def _constraint(column: Node, kind: str) -> Node | None:
    return next((found for found in column_constraints(column) if found["contype"] == kind), None)


@rule(
    "MIG009",
    Severity.ERROR,
    "AT_AddColumn",
    problem="A column that is NOT NULL and has no default cannot be added to a table with rows, and breaks inserts that do "
    "not know it.",
    fix="Add it without NOT NULL, or with a constant DEFAULT; fill it in batches; then SET NOT NULL behind a validated CHECK.",
)
def required_column(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find new columns that every existing row would violate."""
    for table, column in _existing(step, scene):
        kinds = {found["contype"] for found in column_constraints(column)}
        if "CONSTR_NOTNULL" in kinds | ({"CONSTR_NOTNULL"} if "CONSTR_PRIMARY" in kinds else set()) and not (
            kinds & {"CONSTR_DEFAULT", "CONSTR_GENERATED", "CONSTR_IDENTITY"} or has_type(column, *_SERIAL)
        ):
            yield Hit(f"{table}.{column['colname']}", "existing rows have no value for it")


@rule(
    "MIG010",
    Severity.ERROR,
    "AT_AddColumn",
    problem="A default that differs from row to row is computed for every existing row: the table is rewritten behind a "
    "lock that "
    "stops reads and writes.",
    fix="Add the column without a default, set the default for new rows, then fill the old ones in batches.",
)
def volatile_default(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find defaults that are not one value for all rows."""
    for table, column in _existing(step, scene):
        default = _constraint(column, "CONSTR_DEFAULT")
        volatile = volatile_function(default.get("raw_expr")) if default else ""
        if volatile:
            name = f"{table}.{column['colname']}"
            kept = f"ALTER TABLE {table} ADD COLUMN {column['colname']} {type_text(column['typeName'])};"
            fix = f"{kept}\nALTER TABLE {table} ALTER COLUMN {column['colname']} SET DEFAULT {volatile}(…);"
            yield Hit(name, f"{volatile}() may differ from row to row, so every row is rewritten", fix, table)


@rule(
    "MIG011",
    Severity.ERROR,
    "AT_AddColumn",
    problem="A serial or identity column numbers every existing row: the table is rewritten behind a lock that stops reads "
    "and writes.",
    fix="Make a new table with the column and move the rows in batches; or add a plain column, fill it in batches, and then "
    "ALTER COLUMN … ADD GENERATED … AS IDENTITY.",
)
def auto_increment_column(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find new columns that number the rows."""
    for table, column in _existing(step, scene):
        if has_type(column, *_SERIAL) or _constraint(column, "CONSTR_IDENTITY"):
            yield Hit(f"{table}.{column['colname']}", "every existing row is rewritten to be numbered", table=table)


@rule(
    "MIG012",
    Severity.ERROR,
    "AT_AddColumn",
    "AT_SetExpression",
    problem="A stored generated column is computed for every existing row: the table is rewritten behind a lock that stops "
    "reads and "
    "writes.",
    fix="Add a plain column and a trigger that sets it, and fill the old rows in batches; or compute it in a view.",
)
def stored_generated_column(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find generated columns that are stored."""
    if step.kind == "AT_SetExpression" and not scene.is_new(step.table):
        yield Hit(f"{step.table}.{step.node['name']}", "every existing row is computed anew", table=step.table)
    for table, column in _existing(step, scene):
        generated = _constraint(column, "CONSTR_GENERATED")
        if generated and generated.get("generated_kind", "s") == "s":
            yield Hit(f"{table}.{column['colname']}", "every existing row is rewritten to hold it", table=table)


@rule(
    "MIG008",
    Severity.ERROR,
    "AT_AlterColumnType",
    problem="Most changes of a type rewrite the table and its indexes behind a lock that stops reads and writes.",
    fix="Add a column of the new type, keep both equal with a trigger, fill it in batches, and move readers over: "
    "`pgkeel migrate new --recipe change-type`. Widening a varchar, varchar to text, and a numeric of more digits are no "
    "rewrite.",
)
def column_type_change(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find changes of a type that have to touch the rows."""
    if scene.is_new(step.table) or step.target not in {"OBJECT_TABLE", "OBJECT_TYPE", "OBJECT_MATVIEW"}:
        return
    column = step.node["def"]["ColumnDef"]
    name, new = step.node["name"], type_text(column["typeName"])
    old = scene.column_type(step.table, name)
    if "raw_default" in column or "collClause" in column or not _is_widening(old, new):
        was = f" from {old}" if old else ""
        yield Hit(f"{step.table}.{name}", f"the change{was} to {new} rewrites or checks every row", table=step.table)


def _is_widening(old: str, new: str) -> bool:
    """Return whether PostgreSQL changes only the catalog (ATColumnChangeRequiresRewrite); an unknown type gets the doubt."""
    old_name, *old_sizes = re.findall(r"\w+", old) or [""]
    new_name, *new_sizes = re.findall(r"\w+", new)
    if new_name in {"text", "varchar"} and "[" not in new:
        is_text = not old or old_name in {"varchar", "text"}
        fits = not new_sizes or not old or bool(old_sizes and int(old_sizes[0]) <= int(new_sizes[0]))
        return is_text and fits
    if not old or old_name != new_name:
        return old == "timestamp" and new == "timestamptz"  # the runner's time zone is UTC, which PostgreSQL knows to be equal
    return _is_wider(old_name, [int(size) for size in old_sizes], [int(size) for size in new_sizes])


def _is_wider(name: str, old: list[int], new: list[int]) -> bool:
    if old == new or not new:
        return name in {"numeric", "varbit", "timestamp", "timestamptz", "time", "timetz", "interval"} or old == new
    if name == "numeric" and old:
        return new[0] >= old[0] and [*new[1:], 0][0] == [*old[1:], 0][0]
    return name in {"varbit", "timestamp", "timestamptz", "time", "timetz"} and bool(old) and new[0] >= old[0]


@rule(
    "MIG013",
    Severity.ERROR,
    "AT_SetNotNull",
    "AT_AddConstraint",
    problem="SET NOT NULL reads the whole table behind a lock that stops reads and writes.",
    fix="ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID, VALIDATE it in a transaction of its own, then SET NOT "
    "NULL, which "
    "trusts it, and drop it: `pgkeel migrate new --recipe not-null`.",
)
def set_not_null(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find NOT NULL on existing columns that nothing has proven before."""
    if step.target != "OBJECT_TABLE" or scene.is_new(step.table):
        return
    if step.kind == "AT_SetNotNull":
        column = step.node["name"]
    else:
        constraint = step.node["def"]["Constraint"]
        if constraint["contype"] != "CONSTR_NOTNULL" or constraint.get("skip_validation"):
            return
        column = strings(constraint["keys"])[0]
    if not scene.proves_not_null(step.table, column):
        check = f"{step.table.replace('.', '_')}_{column}_not_null"
        fix = f"ALTER TABLE {step.table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID;\n"
        fix += f"ALTER TABLE {step.table} VALIDATE CONSTRAINT {check};  -- in a transaction of its own"
        yield Hit(f"{step.table}.{column}", "every row is read while reads and writes wait", fix, step.table)


@rule(
    "MIG048",
    Severity.INFO,
    "AT_DropNotNull",
    problem="Programs that were written for a value in every row meet NULL.",
    fix="Make sure that every reader handles NULL before the first row has one.",
)
def drop_not_null(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find columns that begin to allow NULL."""
    if not scene.is_new(step.table):
        yield Hit(f"{step.table}.{step.node['name']}", "readers will meet NULL")


@rule(
    "MIG020",
    Severity.ERROR,
    "AlterDomainStmt",
    "AT_AddColumn",
    problem="A constraint of a domain is checked on every row of every table that uses it, behind a lock on each of them.",
    fix="ALTER DOMAIN … ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT; for a new column use the base type and a CHECK.",
)
def constrained_domain(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find constraints that come with a domain."""
    if step.kind == "AlterDomainStmt":
        name = ".".join(strings(step.node["typeName"]))
        added = step.node.get("subtype") == "C" and not step.node["def"]["Constraint"].get("skip_validation")
        if (added or step.node.get("subtype") == "O") and name not in scene.before.created | scene.before.domains:
            yield Hit(name, "every row of every table that uses it is checked")
    for table, column in _existing(step, scene):
        if type_name(column.get("typeName")) in scene.before.domains:
            yield Hit(
                f"{table}.{column['colname']}", "its type is a domain with a constraint, so every row is rewritten", table=table
            )


@rule(
    "MIG056",
    Severity.WARNING,
    "AT_ColumnDefault",
    "AT_DropIdentity",
    "AT_DropExpression",
    problem="Programs that run leave the column out of their inserts and count on the value that it was given.",
    fix="Deploy code that writes the column itself, then take the default away with an ignore that says so.",
)
def default_dropped(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find columns that are no longer filled by themselves."""
    name = step.node["name"]
    is_gone = step.kind != "AT_ColumnDefault" or "def" not in step.node
    if is_gone and not scene.is_new(step.table) and (step.table, name) not in scene.before.added:
        yield Hit(f"{step.table}.{name}", "inserts that leave it out get no value")
