"""What is known of the schema from the SQL itself: what was made, with which columns, keys and constraints.

The rules read two of them: what stands before a statement, and what the whole set will have made in the end.
"""

import re
from collections.abc import Iterator

import msgspec

from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import column_constraints, elements, relation_name, strings, type_text, unwrap

__all__ = ["Facts", "constraints_of", "new_columns"]

_MOVES = re.compile(r"\b(setval|restart)\b", re.IGNORECASE)
KEYS = {"CONSTR_PRIMARY", "CONSTR_UNIQUE"}


class Facts(msgspec.Struct):
    """What SQL that was read so far has made.

    Attributes:
        created: Tables, views and other relations made in the set, by name.
        types: Types of columns, by table and column.
        partition_keys: Columns of a partitioned table's key.
        indexes: Columns of every index and key, by table.
        index_tables: The table of an index, by the index's name.
        primary_keys: Tables with one.
        not_null: Columns that hold no NULL, as `(table, column)`.
        checks: The column whose NULLs a CHECK refuses, by `(table, constraint)`.
        proven: Constraints that are validated.
        unproven: Constraints added NOT VALID, and the unit that did it.
        policies: Tables with a policy.
        views: Views, by `(unit, name)`.
        added: Columns that the set added, as `(table, column)`.
        domains: Domains with a constraint.
        remade: Functions, triggers and policies, by `(unit, name)`.
        moves_sequences: Whether a sequence is set to where the rows are: `setval`, `RESTART`.
        enum_values: Values that were added to an enum that is in use, and the unit that did it.
    """

    created: set[str] = msgspec.field(default_factory=set)
    types: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    partition_keys: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    indexes: dict[str, list[tuple[str, ...]]] = msgspec.field(default_factory=dict)
    index_tables: dict[str, str] = msgspec.field(default_factory=dict)
    index_columns: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    primary_keys: set[str] = msgspec.field(default_factory=set)
    not_null: set[tuple[str, str]] = msgspec.field(default_factory=set)
    checks: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    proven: set[tuple[str, str]] = msgspec.field(default_factory=set)
    unproven: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    policies: set[str] = msgspec.field(default_factory=set)
    views: set[tuple[int, str]] = msgspec.field(default_factory=set)
    added: set[tuple[str, str]] = msgspec.field(default_factory=set)
    domains: set[str] = msgspec.field(default_factory=set)
    remade: set[tuple[int, str]] = msgspec.field(default_factory=set)
    enum_values: dict[str, int] = msgspec.field(default_factory=dict)
    moves_sequences: bool = False

    def as_history(self) -> "Facts":
        """Return the same schema with nothing in it new: what an older migration left behind."""
        kept = {name: getattr(self, name) for name in ("types", "partition_keys", "indexes", "index_tables", "index_columns")}
        return Facts(**kept, primary_keys=self.primary_keys, not_null=self.not_null, checks=self.checks, proven=self.proven)

    def observe(self, step: Step) -> None:
        """Take note of what a step makes."""
        _note_relation(self, step)
        for table, column in new_columns(step):
            self.types.setdefault(table, {})[column["colname"]] = type_text(column.get("typeName"))
            if step.kind == "AT_AddColumn":
                self.added.add((table, column["colname"]))
        for table, column_name, constraint in constraints_of(step):
            _note_constraint(self, step, table, column_name, constraint)
        _note_change(self, step)
        moves = step.kind in {"SelectStmt", "AlterSeqStmt", "AT_SetIdentity"}
        self.moves_sequences |= moves and bool(_MOVES.search(step.text))

    def proves_not_null(self, table: str, column: str) -> bool:
        """Return whether a validated CHECK, or a column's own NOT NULL, already excludes NULLs."""
        if (table, column) in self.not_null:
            return True
        return any(name == table and self.checks.get((name, key), column) == column for name, key in self.proven)

    def indexed(self, table: str, columns: tuple[str, ...]) -> bool:
        """Return whether an index begins with the columns, in any order."""
        wanted = set(columns)
        return any(set(index[: len(wanted)]) == wanted for index in self.indexes.get(table, ()))


def new_columns(step: Step) -> Iterator[tuple[str, Node]]:
    """Yield the table and the definition of every column that a step makes."""
    if step.kind == "CreateStmt":
        yield from ((step.table, column) for column in elements(step.node, "ColumnDef"))
    elif step.kind == "AT_AddColumn" and step.target in {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"}:
        yield step.table, step.node["def"]["ColumnDef"]


def constraints_of(step: Step) -> Iterator[tuple[str, str, Node]]:
    """Yield table, column ("" for one of the table) and constraint of all that a step adds."""
    for table, column in new_columns(step):
        yield from ((table, column["colname"], constraint) for constraint in column_constraints(column))
    if step.kind == "CreateStmt":
        yield from ((step.table, "", constraint) for constraint in elements(step.node, "Constraint"))
    elif step.kind == "AT_AddConstraint":
        yield step.table, "", step.node["def"]["Constraint"]


def _note_relation(facts: Facts, step: Step) -> None:
    facts.created.update(filter(None, [_made(step)]))
    match step.kind:
        case "CreateStmt":
            _note_partitions(facts, step)
        case "ViewStmt":
            facts.views.add((step.unit, relation_name(step.node["view"])))
        case "CreateDomainStmt" if step.node.get("constraints"):
            facts.domains.add(".".join(strings(step.node["domainname"])))
        case "IndexStmt":
            _note_index(facts, step)


def _made(step: Step) -> str:
    """Return the name of the relation, type or schema that a step makes, or ""."""
    node = step.node
    match step.kind:
        case "CreateStmt":
            return step.table
        case "CreateTableAsStmt" | "SelectStmt":
            return relation_name((node.get("into") or node.get("intoClause") or {}).get("rel"))
        case "ViewStmt":
            return "" if node.get("replace") else relation_name(node["view"])
        case "CompositeTypeStmt" | "CreateSeqStmt":
            return relation_name(node.get("typevar") or node.get("sequence"))
        case "CreateEnumStmt" | "CreateDomainStmt":
            return ".".join(strings(node.get("domainname") or node["typeName"]))
        case _:
            return str(node.get("schemaname", "")) if step.kind == "CreateSchemaStmt" else ""


def _note_partitions(facts: Facts, step: Step) -> None:
    if "partspec" in step.node:
        keys = (element.get("name", "") for _, element in map(unwrap, step.node["partspec"].get("partParams", ())))
        facts.partition_keys[step.table] = tuple(keys)
    if "partbound" in step.node:
        facts.primary_keys.add(step.table)


def _note_index(facts: Facts, step: Step) -> None:
    columns = tuple(element.get("name", "") for _, element in map(unwrap, step.node.get("indexParams", ())))
    schema, _, _ = step.table.rpartition(".")
    name = ".".join(filter(None, (schema, step.node.get("idxname", ""))))
    facts.created.add(name)
    facts.index_tables[name] = step.table
    facts.index_columns[name] = columns
    where = step.node.get("whereClause")
    if where is None or _refused_null(where) in columns:
        facts.indexes.setdefault(step.table, []).append(columns)


def _note_constraint(facts: Facts, step: Step, table: str, column: str, constraint: Node) -> None:
    kind, name = constraint["contype"], constraint.get("conname", "")
    columns = tuple(strings(constraint.get("keys", ()))) or ((column,) if column else ())
    if kind in KEYS:
        columns = facts.index_columns.get(constraint.get("indexname", ""), columns)
        facts.indexes.setdefault(table, []).append(columns)
    if kind == "CONSTR_PRIMARY":
        facts.primary_keys.add(table)
        facts.not_null |= {(table, key) for key in columns}
    if kind == "CONSTR_NOTNULL" and not constraint.get("skip_validation"):
        facts.not_null |= {(table, key) for key in columns}
    if kind in {"CONSTR_CHECK", "CONSTR_NOTNULL"}:
        facts.checks[table, name] = _refused_null(constraint.get("raw_expr")) if kind == "CONSTR_CHECK" else columns[0]
    if constraint.get("skip_validation"):
        facts.unproven[table, name] = step.unit
    elif kind == "CONSTR_CHECK":
        facts.proven.add((table, name))


def _refused_null(expression: Node | None) -> str:
    """Return the column of `column IS NOT NULL`, or ""."""
    kind, body = unwrap(expression) if expression else ("", {})
    if kind == "NullTest" and body.get("nulltesttype") == "IS_NOT_NULL" and "ColumnRef" in body["arg"]:
        return strings(body["arg"]["ColumnRef"]["fields"])[-1]
    return ""


def _note_change(facts: Facts, step: Step) -> None:
    name = step.node.get("name", "")
    match step.kind:
        case "AT_ValidateConstraint":
            facts.proven.add((step.table, name))
        case "AT_SetNotNull":
            facts.not_null.add((step.table, name))
        case "AT_DropNotNull":
            facts.not_null.discard((step.table, name))
        case "AT_DropConstraint":
            facts.proven.discard((step.table, name))
        case "AT_AlterColumnType":
            facts.types.setdefault(step.table, {})[name] = type_text(step.node["def"]["ColumnDef"].get("typeName"))
        case "AT_AttachPartition":  # a partition gets the keys of its parent
            facts.primary_keys.add(relation_name(step.node["def"]["PartitionCmd"]["name"]))
        case "RenameStmt" if step.node["renameType"] == "OBJECT_TABLE" and step.table in facts.created:
            facts.created.add(step.node["newname"])
    _note_remade(facts, step)


def _note_remade(facts: Facts, step: Step) -> None:
    node = step.node
    match step.kind:
        case "CreatePolicyStmt":
            facts.policies.add(relation_name(node.get("table")))
            facts.remade.add((step.unit, f"{relation_name(node.get('table'))}.{node['policy_name']}"))
        case "CreateFunctionStmt":
            facts.remade.add((step.unit, ".".join(strings(node["funcname"])).removeprefix("public.")))
        case "CreateTrigStmt":
            facts.remade.add((step.unit, f"{step.table}.{node['trigname']}"))
        case "CreateTableAsStmt":
            facts.remade.add((step.unit, _made(step)))
        case "AlterEnumStmt" if "oldVal" not in node and ".".join(strings(node["typeName"])) not in facts.created:
            facts.enum_values[node["newVal"]] = step.unit
