"""Types and shapes that are regretted later."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.facts import constraints_of, new_columns
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import column_constraints, elements, has_type, relation_name, type_name

__all__: list[str] = []

_SECTION = "Schema Design"
_NEW = ("CreateStmt", "AT_AddColumn", "AT_AlterColumnType")
_MONEY = {
    "price",
    "amount",
    "total",
    "subtotal",
    "cost",
    "balance",
    "fee",
    "salary",
    "wage",
    "tax",
    "revenue",
    "paid",
    "payment",
    "discount",
    "budget",
    "refund",
    "money",
    "credit",
    "debit",
    "charge",
    "income",
    "expense",
    "deposit",
    "commission",
}


def _columns(step: Step) -> Iterator[tuple[str, str, Node]]:
    """Yield table, name and definition of every column that gets a type."""
    if step.kind == "AT_AlterColumnType":
        if step.target == "OBJECT_TABLE":
            yield step.table, step.node["name"], step.node["def"]["ColumnDef"]
        return
    yield from ((table, column["colname"], column) for table, column in new_columns(step))


@rule(
    "SCH010",
    Severity.WARNING,
    *_NEW,
    section=_SECTION,
    problem="json has no equality: SELECT DISTINCT, UNION and GROUP BY of a row with it fail; and it is parsed anew at "
    "every read.",
    fix="Use jsonb.",
)
def json_column(step: Step, _: Scene) -> Iterator[Hit]:
    """Find columns of type json."""
    for table, name, column in _columns(step):
        if has_type(column, "json"):
            yield Hit(f"{table}.{name}", "json cannot be compared", f"{name} jsonb")


@rule(
    "SCH011",
    Severity.WARNING,
    *_NEW,
    section=_SECTION,
    problem="Floating point loses cents; money depends on lc_monetary and has no currency.",
    fix="Use numeric(19, 4) with a column for the currency, or whole cents in bigint.",
)
def money_in_float(step: Step, _: Scene) -> Iterator[Hit]:
    """Find sums of money in a type that cannot hold them."""
    for table, name, column in _columns(step):
        is_sum = bool(_MONEY & set(name.lower().removesuffix("s").split("_")) | _MONEY & set(name.lower().split("_")))
        if has_type(column, "money") or (is_sum and has_type(column, "float4", "float8")):
            yield Hit(f"{table}.{name}", f"{type_name(column['typeName'])} does not keep it exactly", f"{name} numeric(19, 4)")


@rule(
    "SCH012",
    Severity.INFO,
    *_NEW,
    section=_SECTION,
    problem="timestamp without time zone is a reading of a wall clock that nobody knows.",
    fix="Use timestamptz: eight bytes too, and a point in time.",
)
def timestamp_without_zone(step: Step, _: Scene) -> Iterator[Hit]:
    """Find points in time without a zone."""
    for table, name, column in _columns(step):
        if has_type(column, "timestamp", "timetz"):
            yield Hit(f"{table}.{name}", f"{type_name(column['typeName'])} names no instant", f"{name} timestamptz")


@rule(
    "SCH013",
    Severity.INFO,
    *_NEW,
    section=_SECTION,
    problem="char(n) pads with blanks, saves nothing, and compares in surprising ways.",
    fix="Use text, with a CHECK of the length where one is meant.",
)
def padded_text(step: Step, _: Scene) -> Iterator[Hit]:
    """Find char(n); `char(1)` and codes of fixed length included."""
    for table, name, column in _columns(step):
        if has_type(column, "bpchar"):
            yield Hit(f"{table}.{name}", "values are padded with blanks", f"{name} text")


@rule(
    "SCH014",
    Severity.INFO,
    "CreateStmt",
    section=_SECTION,
    problem="A four-byte key ends after two thousand million rows, and widening it later rewrites the table and all that "
    "refers to it.",
    fix="Use bigint GENERATED ALWAYS AS IDENTITY, or uuid.",
)
def small_key(step: Step, _: Scene) -> Iterator[Hit]:
    """Find primary keys that numbers will run out for."""
    keys = {column for _, column, found in constraints_of(step) if found["contype"] == "CONSTR_PRIMARY"}
    for column in elements(step.node, "ColumnDef"):
        is_counted = has_type(column, "serial", "serial4", "smallserial", "serial2") or _is_identity(column)
        if column["colname"] in keys and is_counted and not has_type(column, "int8"):
            yield Hit(f"{step.table}.{column['colname']}", f"{type_name(column['typeName'])} runs out of numbers")


def _is_identity(column: Node) -> bool:
    return any(found["contype"] == "CONSTR_IDENTITY" for found in column_constraints(column))


@rule(
    "SCH015",
    Severity.WARNING,
    "CreateStmt",
    "CreateTableAsStmt",
    section=_SECTION,
    problem="Without a primary key no row can be named: logical replication refuses updates, duplicates cannot be removed.",
    fix="Give the table a primary key.",
)
def no_primary_key(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find tables that never get a primary key."""
    if step.kind == "CreateTableAsStmt":
        yield from _copied_without_key(step, scene)
        return
    is_derived = "inhRelations" in step.node or "ofTypename" in step.node
    is_copy = any(like.get("options", 0) & 0b1000000 for like in elements(step.node, "TableLikeClause"))
    is_temporary = step.node["relation"].get("relpersistence") == "t"
    if step.table not in scene.whole.primary_keys and not (is_derived or is_copy or is_temporary):
        yield Hit(step.table, "no row of it can be named")


def _copied_without_key(step: Step, scene: Scene) -> Iterator[Hit]:
    into = step.node["into"]["rel"]
    is_table = step.node.get("objtype") == "OBJECT_TABLE" and into.get("relpersistence") != "t"
    if is_table and relation_name(into) not in scene.whole.primary_keys:
        yield Hit(relation_name(into), "no row of it can be named", severity=Severity.INFO)


@rule(
    "SCH017",
    Severity.WARNING,
    "CreateStmt",
    section=_SECTION,
    problem="An unlogged table is empty after a crash, and is on no replica and in no archived backup.",
    fix="Leave UNLOGGED out; or say in an ignore that the rows may be lost.",
)
def unlogged_table(step: Step, _: Scene) -> Iterator[Hit]:
    """Find tables that a crash empties."""
    if step.node["relation"].get("relpersistence") == "u":
        yield Hit(step.table, "a crash empties it")


@rule(
    "SCH016",
    Severity.WARNING,
    section=_SECTION,
    problem="PostgreSQL cuts a name off after 63 bytes without a word; two long names become one.",
    fix="Choose a shorter name.",
)
def long_name(step: Step, _: Scene) -> Iterator[Hit]:
    """Find names that will be cut off."""
    for name in step.names:
        if len(name.strip('"').encode()) > 63:
            yield Hit(name.strip('"').encode()[:63].decode(errors="ignore"), "the name is cut off here")
