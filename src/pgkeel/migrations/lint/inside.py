"""Take a statement apart: the commands of an ALTER TABLE, and the SQL inside a DO block, which runs like any other."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pgkeel.migrations.lint.parser import Node, ParseError, parse, parse_body
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import constant, option, relation_name, unwrap, walk

__all__ = ["DYNAMIC", "LOOPED", "steps_of"]

DYNAMIC = "DynamicSql"  # a step for text that is put together at run time
LOOPED = "LoopedWrite"  # a step for rows that are written in the turns of a loop which never commits
_WRITES = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
_ROWS = {"UpdateStmt", "DeleteStmt"}
_LOOPS = {f"PLpgSQL_stmt_{word}" for word in ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")}


def steps_of(step: Step) -> Iterator[Step]:
    """Yield a statement's actions: itself, or what it consists of."""
    if step.kind == "AlterTableStmt":
        yield from _commands(step)
    elif step.kind == "DoStmt":
        yield from _body(step)
    else:
        yield from _written_beside(step)
        yield msgspec.structs.replace(step, table=relation_name(step.node.get("relation")))


def _written_beside(step: Step) -> Iterator[Step]:
    """Yield what a WITH writes: it runs whole, whatever the statement around it reads of it."""
    for _, entry in map(unwrap, step.node.get("withClause", {}).get("ctes", ())):
        kind, node = unwrap(entry["ctequery"])
        if kind in _WRITES:
            yield from steps_of(msgspec.structs.replace(step, kind=kind, node=node))


def _commands(step: Step) -> Iterator[Step]:
    table, target = relation_name(step.node.get("relation")), step.node.get("objtype", "")
    for _, command in map(unwrap, step.node.get("cmds", ())):
        yield msgspec.structs.replace(step, kind=command["subtype"], node=command, table=table, target=target)


def _body(step: Step) -> Iterator[Step]:
    language = option(step.node.get("args", ()), "language")
    if language is not None and language["arg"]["String"].get("sval") != "plpgsql":
        yield msgspec.structs.replace(step, kind=DYNAMIC)
        return
    try:
        functions = parse_body(step.text)
    except ParseError:
        yield msgspec.structs.replace(step, kind=DYNAMIC)
        return
    for sql in _queries(functions):
        yield from _inner(step, sql)
    yield from _looped(step, functions)


def _looped(step: Step, functions: list[Node]) -> Iterator[Step]:
    kinds = {kind for kind, _ in _statements(functions)}
    if "PLpgSQL_stmt_commit" in kinds:
        return
    for kind, loop in _statements(functions):
        if kind in _LOOPS:
            written = (inner for sql in _queries([loop]) if sql is not None for inner in _inner(step, sql))
            yield from (msgspec.structs.replace(inner, kind=LOOPED) for inner in written if inner.kind in _ROWS)


def _queries(functions: list[Node]) -> Iterator[str | None]:
    """Yield the statements of a body; None for one whose text is only known at run time."""
    for kind, body in _statements(functions):
        if kind == "PLpgSQL_stmt_execsql":
            yield body["sqlstmt"]["PLpgSQL_expr"]["query"]
        elif kind == "PLpgSQL_stmt_perform":
            yield body["expr"]["PLpgSQL_expr"]["query"]
        elif kind in {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"}:
            yield _constant_text(body["query"]["PLpgSQL_expr"]["query"])


def _statements(tree: Any) -> Iterator[tuple[str, Node]]:  # noqa: ANN401 - a piece of JSON
    return ((kind, body) for kind, body in walk(tree) if kind.startswith("PLpgSQL_stmt_"))


def _constant_text(expression: str) -> str | None:
    try:
        _, select = parse(f"SELECT {expression}")[0]
    except (ParseError, IndexError):
        return None
    value = _folded(select["targetList"][0]["ResTarget"]["val"])
    return value if isinstance(value, str) else None


def _folded(node: Node) -> object:
    """Return a constant, or constants put together with ||."""
    kind, body = unwrap(node)
    if kind == "A_Expr" and body["name"][0]["String"]["sval"] == "||" and "lexpr" in body:
        left, right = _folded(body["lexpr"]), _folded(body["rexpr"])
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    return constant(node)


def _inner(step: Step, sql: str | None) -> Iterator[Step]:
    if sql is None:
        yield msgspec.structs.replace(step, kind=DYNAMIC)
        return
    try:
        parsed = parse(sql)
    except ParseError:  # PL/pgSQL's own, such as an assignment
        return
    for kind, node in parsed:
        yield from steps_of(msgspec.structs.replace(step, kind=kind, node=node, text=sql if kind == "DoStmt" else step.text))
