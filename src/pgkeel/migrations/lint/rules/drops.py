"""What running programs still use: drops, renames, moves."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import names_of, relation_name, strings, unwrap

__all__: list[str] = []

_TABLES = {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"}
_USED = {
    "OBJECT_VIEW": "view",
    "OBJECT_MATVIEW": "materialised view",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_ROUTINE": "routine",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_EXTENSION": "extension",
    "OBJECT_ATTRIBUTE": "attribute",
    "OBJECT_ROLE": "role",
    "OBJECT_OPERATOR": "operator",
    "OBJECT_POLICY": "policy",
    "OBJECT_TRIGGER": "trigger",
    "OBJECT_EVENT_TRIGGER": "event trigger",
    "OBJECT_RULE": "rule",
    "OBJECT_PUBLICATION": "publication",
    "OBJECT_CAST": "cast",
    "OBJECT_COLLATION": "collation",
    "OBJECT_FOREIGN_SERVER": "server",
    "OBJECT_FDW": "foreign-data wrapper",
    "OBJECT_LANGUAGE": "language",
    "OBJECT_OPCLASS": "operator class",
    "OBJECT_OPFAMILY": "operator family",
    "OBJECT_TSCONFIGURATION": "text search configuration",
    "OBJECT_TSDICTIONARY": "text search dictionary",
    "OBJECT_ACCESS_METHOD": "access method",
}
_QUIET_RENAMES = {"view", "materialised view", "policy", "trigger", "event trigger", "rule", "cast", "publication"}


@rule(
    "MIG030",
    Severity.ERROR,
    "AT_DropColumn",
    problem="Programs that run still read and write the column, and its values are gone.",
    fix="Deploy code that does not name the column, wait for a release, then drop it with an ignore that says so.",
)
def drop_column(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find columns that go."""
    if not scene.is_new(step.table) and (step.table, step.node["name"]) not in scene.before.added:
        yield Hit(f"{step.table}.{step.node['name']}", "programs that run still use it; its values are gone")


@rule(
    "MIG031",
    Severity.ERROR,
    "DropStmt",
    problem="Programs that run still use the table, and its rows are gone.",
    fix="Deploy code that does not use the table, keep a copy, then drop it with an ignore that says so. To make a table "
    "again, use a "
    "new name.",
)
def drop_table(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find tables that go."""
    if step.node["removeType"] in _TABLES:
        for name in names_of(step.node["objects"]):
            if not scene.is_new(name):
                yield Hit(name, "programs that run still use it; its rows are gone")


@rule(
    "MIG032",
    Severity.ERROR,
    "DropStmt",
    "DropdbStmt",
    "DropOwnedStmt",
    "DropTableSpaceStmt",
    problem="Everything inside goes with it.",
    fix="Drop the objects one by one, each when nothing uses it any more.",
)
def drop_container(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find schemas, databases and all of a role's objects that go."""
    if step.kind == "DropStmt":
        if step.node["removeType"] == "OBJECT_SCHEMA":
            yield from (Hit(name, "everything in it goes") for name in names_of(step.node["objects"]) if not scene.is_new(name))
        return
    roles = ", ".join(body.get("rolename", "") for _, body in map(unwrap, step.node.get("roles", ())))
    yield Hit(step.node.get("dbname") or step.node.get("tablespacename") or roles, "everything in it goes")


@rule(
    "MIG033",
    Severity.WARNING,
    "DropStmt",
    "DropRoleStmt",
    problem="Programs and other objects that run still use it.",
    fix="Deploy code that does not use it first; replace a view or function in place, or in one transaction.",
)
def drop_used_object(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find views, types, functions and the like that go without being made again in the same transaction."""
    remade = scene.whole.views | scene.whole.remade
    what = _USED.get(step.node.get("removeType", "OBJECT_ROLE"))
    if what is None:
        return
    roles = (body.get("rolename", "") for _, body in map(unwrap, step.node.get("roles", ())))
    for name in roles if step.kind == "DropRoleStmt" else names_of(step.node["objects"]):
        if not scene.is_new(name) and (step.unit, name) not in remade:
            yield Hit(name, f"programs that run may still use the {what}")


@rule(
    "MIG034",
    Severity.ERROR,
    "RenameStmt",
    problem="From the moment of the rename every program that runs and names the column fails.",
    fix="Add the new column, keep both equal, move readers and writers over, drop the old one: "
    "`pgkeel migrate new --recipe rename-column`.",
)
def rename_column(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find columns that get another name."""
    column = (step.table, step.node.get("subname", ""))
    if step.node["renameType"] == "OBJECT_COLUMN" and not scene.is_new(step.table) and column not in scene.before.added:
        yield Hit(".".join(column), f"programs that run do not know {step.node['newname']}")


@rule(
    "MIG035",
    Severity.ERROR,
    "RenameStmt",
    problem="From the moment of the rename every program that runs and names the table fails.",
    fix="In one transaction, rename the table and create a view with the old name; drop the view when no program uses it.",
)
def rename_table(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find tables that get another name and leave no view behind."""
    if step.node["renameType"] not in _TABLES | {"OBJECT_VIEW", "OBJECT_MATVIEW"} or scene.is_new(step.table):
        return
    if (step.unit, step.table) not in scene.whole.views:
        view = f"CREATE VIEW {step.table} AS TABLE {step.node['newname']};"
        fix = f"{view}  -- in the same transaction"
        yield Hit(step.table, f"programs that run do not know {step.node['newname']}", fix)


@rule(
    "MIG036",
    Severity.ERROR,
    "RenameStmt",
    problem="From the moment of the rename every program that names something in the schema or database fails.",
    fix="Make the new schema, move objects one by one behind views, drop the old one when it is empty.",
)
def rename_schema(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find schemas and databases that get another name."""
    name = step.node.get("subname", "")
    if step.node["renameType"] in {"OBJECT_SCHEMA", "OBJECT_DATABASE"} and not scene.is_new(name):
        yield Hit(name, f"programs that run do not know {step.node['newname']}")


@rule(
    "MIG037",
    Severity.WARNING,
    "RenameStmt",
    "AlterEnumStmt",
    problem="Programs that run use the old name or value: what they write fails, what they read surprises them.",
    fix="Add the new name or value beside the old one, move the programs over, then remove the old one.",
)
def rename_used_object(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find values of enums, types, functions and the like that get another name."""
    if step.kind == "AlterEnumStmt":
        name = ".".join(strings(step.node["typeName"]))
        if step.node.get("oldVal") and not scene.is_new(name):
            yield Hit(f"{name}.{step.node['oldVal']}", f"programs that run do not know {step.node.get('newVal')}")
        return
    what = _USED.get(step.node["renameType"])
    if what is not None and what not in _QUIET_RENAMES:
        named = [step.table] if step.table else list(names_of([step.node["object"]])) if "object" in step.node else []
        name = named[0] if named else step.node.get("subname", what)
        if not scene.is_new(name):
            yield Hit(name, f"programs that run use the {what} by its old name")


@rule(
    "MIG038",
    Severity.ERROR,
    "AlterObjectSchemaStmt",
    problem="Programs that run look for it in the old schema.",
    fix="Move it and create a view with the old name in the same transaction.",
)
def move_to_schema(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find objects that move to another schema."""
    name = relation_name(step.node.get("relation")) or next(names_of([step.node["object"]]), "") if step.node else ""
    if not scene.is_new(name) and (step.unit, name) not in scene.whole.views:
        yield Hit(name, f"it is in {step.node['newschema']} from then on")


@rule(
    "MIG050",
    Severity.WARNING,
    "DropStmt",
    "AT_DropColumn",
    problem="CASCADE drops whatever depends on it, unseen: views, foreign keys, columns, policies.",
    fix="Drop what depends on it by name, in the order in which it can go.",
)
def drop_cascade(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find drops that take along what nobody wrote down."""
    names = list(names_of(step.node["objects"])) if step.kind == "DropStmt" else [f"{step.table}.{step.node['name']}"]
    is_new = all(scene.is_new(name) for name in names) or scene.is_new(step.table)
    if step.node.get("behavior") == "DROP_CASCADE" and not is_new:
        yield Hit(", ".join(names), "whatever depends on it goes too")
