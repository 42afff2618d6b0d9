"""Settle what a statement outside a transaction left behind, so that it can be run (again) from a clean table.

An interrupted CREATE INDEX CONCURRENTLY leaves an INVALID index that costs every write and serves no read (PostgreSQL manual,
CREATE INDEX, "Building Indexes Concurrently"); REINDEX leaves `_ccnew` and `_ccold`; DETACH leaves a pending detach.
"""

from pgkeel.core.telling import Report
from pgkeel.migrations.errors import NotOwned
from pgkeel.migrations.lexer import TokenKind
from pgkeel.migrations.names import name_after
from pgkeel.migrations.statement import Statement, split
from pgkeel.postgres import Connection, identifier, load

__all__ = ["refuse_foreign_index", "settle"]

_CLUSTER_OBJECTS = ("DATABASE", "TABLESPACE", "SUBSCRIPTION")


def settle(connection: Connection, attempt: str, report: Report) -> bool:
    """Return whether an attempted statement had finished; otherwise its leftovers are gone and it can run again.

    Statements that are safe to repeat (VACUUM, CLUSTER, ALTER SYSTEM, and what `transaction=none` asks for) are repeated.
    """
    statement = next(split(attempt, 0, len(attempt)))
    words = statement.words
    if _is_index_build(statement):
        return _settle_index(connection, statement, report)
    if statement.starts_with("DROP INDEX"):
        return not _is_there(connection, statement, "CONCURRENTLY")
    if statement.starts_with("REINDEX"):
        _drop_leftovers(connection, statement, report)
        return False
    if statement.starts_with("ALTER TABLE") and "DETACH" in words:
        return _settle_detach(connection, statement)
    if words[:1] in {("CREATE",), ("DROP",)} and set(words[1:2]) & set(_CLUSTER_OBJECTS):
        return _cluster_object_exists(connection, statement) == (words[0] == "CREATE")
    return False


def refuse_foreign_index(connection: Connection, statement: Statement, where: str) -> None:
    """Refuse to build an index whose name is taken by one that this migration did not start.

    `IF NOT EXISTS` passes over a usable one, as the file asks; over an INVALID one it would hide the failure for ever.

    Raises:
        NotOwned: It is there.
    """
    if not _is_index_build(statement):
        return
    row = _index_state(connection, statement)
    if row is None or (row["is_valid"] and "EXISTS" in statement.words[:7]):
        return
    state = "" if row["is_valid"] else "INVALID "
    hint = f"drop it first: DROP INDEX CONCURRENTLY {row['schema']}.{row['name']};"
    raise NotOwned(f"{where}: the {state}index {row['name']} is there already and no migration made it", hint=hint)


def _is_index_build(statement: Statement) -> bool:
    return statement.starts_with("CREATE INDEX", "CREATE UNIQUE INDEX") and "CONCURRENTLY" in statement.words


def _index_state(connection: Connection, statement: Statement) -> dict[str, object] | None:
    index, table = name_after(statement, "CONCURRENTLY"), name_after(statement, "ON")
    if index is None or table is None:
        return None
    return load(__name__, "index_state").row(connection, name=index.last, relation=table.text)


def _settle_index(connection: Connection, statement: Statement, report: Report) -> bool:
    row = _index_state(connection, statement)
    if row is None:
        return False
    if row["is_valid"]:
        return True
    _drop(connection, str(row["schema"]), str(row["name"]), report)
    return False


def _drop(connection: Connection, schema: str, name: str, report: Report) -> None:
    report(f"dropping the INVALID index {name} that a stopped build left behind")
    load(__name__, "drop_index").named(index=identifier(schema, name)).run(connection)


def _is_there(connection: Connection, statement: Statement, *words: str) -> bool:
    name = name_after(statement, *words)
    return name is not None and bool(load(__name__, "relation_exists").scalar(connection, name=name.text))


def _drop_leftovers(connection: Connection, statement: Statement, report: Report) -> None:
    target = _reindex_target(statement)
    for row in load(__name__, "reindex_leftovers").rows(connection, relation=target):
        _drop(connection, row["schema"], row["name"], report)


def _reindex_target(statement: Statement) -> str | None:
    for kind in ("INDEX", "TABLE"):
        for words in ((kind, "CONCURRENTLY"), (kind,)):
            name = name_after(statement, *words)
            if name is not None:
                return name.text
    return None


def _settle_detach(connection: Connection, statement: Statement) -> bool:
    parent, partition = name_after(statement, "TABLE"), name_after(statement, "PARTITION")
    if parent is None or partition is None:
        return False
    row = load(__name__, "detach_state").row(connection, partition=partition.text)
    if row is not None and row["is_pending"]:
        names = {"parent": identifier(*parent.parts), "partition": identifier(*partition.parts)}
        load(__name__, "finish_detach").named(**names).run(connection)
        return True
    return row is None


def _cluster_object_exists(connection: Connection, statement: Statement) -> bool:
    kind = statement.words[1]
    name = name_after(statement, kind)
    if name is None or statement.tokens[1].kind is not TokenKind.WORD:
        return False
    return bool(load(__name__, "cluster_object_exists").scalar(connection, kind=kind, name=name.last))
