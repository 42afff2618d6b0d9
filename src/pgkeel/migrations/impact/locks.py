"""Which locks a statement takes, from its tree alone: what the PostgreSQL manual says on each command's page and in 13.3."""

from collections.abc import Callable, Iterator

from pgkeel.migrations.impact.effect import MODES, Lock
from pgkeel.migrations.lint.check import Scene
from pgkeel.migrations.lint.facts import constraints_of
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import elements, names_of, option, relation_name, strings, unwrap, walk

__all__ = ["locks_of"]

_SHARE, _ROW_EXCLUSIVE, _BESIDE = "ACCESS SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"
_SHARE_ROW, _ALL = "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"
# AlterTableGetLockLevel in tablecmds.c; every other command takes ACCESS EXCLUSIVE
_ALTER = {
    "AT_SetStatistics": _BESIDE,
    "AT_ClusterOn": _BESIDE,
    "AT_DropCluster": _BESIDE,
    "AT_SetOptions": _BESIDE,
    "AT_ResetOptions": _BESIDE,
    "AT_SetRelOptions": _BESIDE,
    "AT_ResetRelOptions": _BESIDE,
    "AT_ValidateConstraint": _BESIDE,
    "AT_EnableTrig": _SHARE_ROW,
    "AT_EnableAlwaysTrig": _SHARE_ROW,
    "AT_EnableReplicaTrig": _SHARE_ROW,
    "AT_EnableTrigAll": _SHARE_ROW,
    "AT_EnableTrigUser": _SHARE_ROW,
    "AT_DisableTrig": _SHARE_ROW,
    "AT_DisableTrigAll": _SHARE_ROW,
    "AT_DisableTrigUser": _SHARE_ROW,
    "AT_AttachPartition": _BESIDE,
}
_SIMPLE = {
    "InsertStmt": _ROW_EXCLUSIVE,
    "UpdateStmt": _ROW_EXCLUSIVE,
    "DeleteStmt": _ROW_EXCLUSIVE,
    "MergeStmt": _ROW_EXCLUSIVE,
    "CreateTrigStmt": _SHARE_ROW,
    "RuleStmt": _ALL,
    "AlterObjectSchemaStmt": _ALL,
    "ClusterStmt": _ALL,
    "RepackStmt": _ALL,
}
_IN_TABLES = {"OBJECT_TABLE", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"}
_ON_TABLES = {"OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY"}


def locks_of(step: Step, scene: Scene) -> Iterator[Lock]:
    """Yield the locks of one action, weaker ones on the same table included."""
    if step.kind.startswith("AT_"):
        yield from _altered(step)
    elif step.kind in _SIMPLE and step.table:
        yield Lock(step.table, _SIMPLE[step.kind])
    elif step.kind in _OTHERS:
        yield from _OTHERS[step.kind](step, scene)
    yield from _referenced(step)
    yield from _read(step)


def _altered(step: Step) -> Iterator[Lock]:
    if step.target not in _IN_TABLES:
        return
    match step.kind:
        case "AT_AddConstraint" if step.node["def"]["Constraint"]["contype"] == "CONSTR_FOREIGN":
            yield Lock(step.table, _SHARE_ROW)
        case "AT_AttachPartition":
            yield Lock(step.table, _BESIDE)
            yield Lock(_partition(step), _ALL)
        case "AT_DetachPartition":
            is_concurrent = step.node["def"]["PartitionCmd"].get("concurrent")
            yield Lock(step.table, _BESIDE if is_concurrent else _ALL)
            yield Lock(_partition(step), _ALL)
        case _:
            yield Lock(step.table, _ALTER.get(step.kind, _ALL))


def _partition(step: Step) -> str:
    return relation_name(step.node["def"]["PartitionCmd"]["name"])


def _referenced(step: Step) -> Iterator[Lock]:
    """Yield the lock on the table that a new foreign key points to: its triggers are made there."""
    for _, _, constraint in constraints_of(step):
        if constraint["contype"] == "CONSTR_FOREIGN":
            yield Lock(relation_name(constraint["pktable"]), _SHARE_ROW)


def _read(step: Step) -> Iterator[Lock]:
    """Yield the tables that queries inside read; names of WITH queries are none."""
    named = {body.get("ctename", "") for kind, body in walk(step.node) if kind == "CommonTableExpr"}
    is_locking = any(kind == "LockingClause" for kind, _ in walk(step.node))
    if step.kind in {"SelectStmt", "ViewStmt", "CreateTableAsStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
        for kind, body in walk(step.node):
            if kind == "RangeVar" and (body["relname"] not in named or "schemaname" in body):
                yield Lock(relation_name(body), "ROW SHARE" if is_locking else _SHARE)
            elif kind in {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
                yield Lock(relation_name(body["relation"]), _ROW_EXCLUSIVE)


def _created(step: Step, _: Scene) -> Iterator[Lock]:
    yield Lock(step.table, _ALL)
    parents = [relation_name(body) for _, body in map(unwrap, step.node.get("inhRelations", ()))]
    yield from (Lock(parent, _ALL if "partbound" in step.node else _BESIDE) for parent in parents)
    yield from (Lock(relation_name(like["relation"]), _SHARE) for like in elements(step.node, "TableLikeClause"))


def _indexed(step: Step, _: Scene) -> Iterator[Lock]:
    yield Lock(step.table, _BESIDE if step.node.get("concurrent") else "SHARE")


def _reindexed(step: Step, scene: Scene) -> Iterator[Lock]:
    mode = _BESIDE if option(step.node.get("params", ()), "concurrently") is not None else "SHARE"
    name = relation_name(step.node.get("relation"))
    table = _table_of(name, scene) if step.node.get("kind") == "REINDEX_OBJECT_INDEX" else name
    if table:
        yield Lock(table, mode)


def _table_of(index: str, scene: Scene) -> str:
    return scene.before.index_tables.get(index) or scene.history.index_tables.get(index, "")


def _dropped(step: Step, scene: Scene) -> Iterator[Lock]:
    kind, names = step.node["removeType"], step.node["objects"]
    if kind in _IN_TABLES:
        yield from (Lock(name, _ALL) for name in names_of(names))
    elif kind in _ON_TABLES:
        yield from (Lock(name.rpartition(".")[0], _ALL) for name in names_of(names))
    elif kind == "OBJECT_INDEX":
        tables = filter(None, (_table_of(name, scene) for name in names_of(names)))
        yield from (Lock(table, _BESIDE if step.node.get("concurrent") else _ALL) for table in tables)


def _renamed(step: Step, _: Scene) -> Iterator[Lock]:
    if "OBJECT_INDEX" not in (step.node["renameType"], step.node.get("relationType")) and step.table:
        yield Lock(step.table, _ALL)


def _vacuumed(step: Step, _: Scene) -> Iterator[Lock]:
    is_full = option(step.node.get("options", ()), "full") is not None
    tables = (relation_name(body["VacuumRelation"].get("relation")) for body in step.node.get("rels", ()))
    yield from (Lock(table, _ALL if is_full else _BESIDE) for table in tables)


def _refreshed(step: Step, _: Scene) -> Iterator[Lock]:
    yield Lock(step.table, "EXCLUSIVE" if step.node.get("concurrent") else _ALL)


def _listed(mode: Callable[[Node], str]) -> Callable[[Step, Scene], Iterator[Lock]]:
    def find(step: Step, _: Scene) -> Iterator[Lock]:
        yield from (Lock(relation_name(body), mode(step.node)) for _, body in map(unwrap, step.node["relations"]))

    return find


def _policed(step: Step, _: Scene) -> Iterator[Lock]:
    yield Lock(relation_name(step.node["table"]), _ALL)


def _copied(step: Step, _: Scene) -> Iterator[Lock]:
    if step.table:
        yield Lock(step.table, _ROW_EXCLUSIVE if step.node.get("is_from") else _SHARE)


def _commented(step: Step, _: Scene) -> Iterator[Lock]:
    names = strings(step.node["object"].get("List", {}).get("items", ()))
    kept = names if step.node["objtype"] in _IN_TABLES else names[:-1] if step.node["objtype"] == "OBJECT_COLUMN" else []
    if kept:
        yield Lock(".".join(kept[1:] if len(kept) > 1 and kept[0] == "public" else kept), _BESIDE)


def _published(step: Step, _: Scene) -> Iterator[Lock]:
    for kind, body in walk(step.node):
        if kind == "PublicationObjSpec" and "pubtable" in body:
            yield Lock(relation_name(body["pubtable"]["relation"]), _BESIDE)


_OTHERS: dict[str, Callable[[Step, Scene], Iterator[Lock]]] = {
    "CreateStmt": _created,
    "IndexStmt": _indexed,
    "ReindexStmt": _reindexed,
    "DropStmt": _dropped,
    "RenameStmt": _renamed,
    "VacuumStmt": _vacuumed,
    "RefreshMatViewStmt": _refreshed,
    "TruncateStmt": _listed(lambda _: _ALL),
    "LockStmt": _listed(lambda node: MODES[node["mode"] - 1]),
    "CreateStatsStmt": _listed(lambda _: _BESIDE),
    "CreatePolicyStmt": _policed,
    "AlterPolicyStmt": _policed,
    "CopyStmt": _copied,
    "CommentStmt": _commented,
    "CreatePublicationStmt": _published,
    "AlterPublicationStmt": _published,
}
