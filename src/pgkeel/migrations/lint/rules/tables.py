"""Tables: rewrites, locks taken by hand, triggers, row security, materialised views."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import option, relation_name, unwrap

__all__: list[str] = []

_REWRITES = {
    "AT_SetLogged": "SET LOGGED writes the whole table to the log",
    "AT_SetUnLogged": "SET UNLOGGED rewrites the table, and a crash empties it from then on",
    "AT_SetTableSpace": "the table is copied to the other tablespace",
    "AT_SetAccessMethod": "the table is copied into the other access method",
}
_SHARE = 5  # LOCKMODE numbers of lockdefs.h: from SHARE on, writers wait


@rule(
    "MIG005",
    Severity.ERROR,
    *_REWRITES,
    "VacuumStmt",
    "ClusterStmt",
    "RepackStmt",
    "AlterTableMoveAllStmt",
    "AlterDatabaseStmt",
    problem="The table is written anew behind a lock that stops reads and writes.",
    fix="VACUUM without FULL; pg_repack or pg_squeeze for a table that must shrink; a new table for another place or kind.",
)
def table_rewrite(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find statements that copy a whole table."""
    if step.kind in _REWRITES and not scene.is_new(step.table):
        yield Hit(step.table, _REWRITES[step.kind], table=step.table)
    elif step.kind == "VacuumStmt":
        full = option(step.node.get("options", ()), "full")
        if full is not None and step.node.get("is_vacuumcmd") and _is_on(full.get("arg")):
            tables = [relation_name(body["relation"]) for _, body in map(unwrap, step.node.get("rels", ()))]
            yield from (Hit(table, "VACUUM FULL copies the table", table=table) for table in tables)
            yield from () if tables else (Hit("every table", "VACUUM FULL copies every table"),)
    elif step.kind in {"ClusterStmt", "RepackStmt"} and not scene.is_new(step.table):
        yield Hit(step.table or "every table", "CLUSTER copies the table", table=step.table)
    elif step.kind == "AlterTableMoveAllStmt":
        yield Hit(step.node.get("orig_tablespacename", ""), "every table of the tablespace is copied")
    elif step.kind == "AlterDatabaseStmt" and option(step.node.get("options", ()), "tablespace") is not None:
        yield Hit(step.node["dbname"], "every table of the database is copied, and nobody may be connected")


def _is_on(argument: dict[str, object] | None) -> bool:
    text = str(argument).lower()
    return argument is None or not any(word in text for word in ("false", "off", "'0'"))


@rule(
    "MIG006",
    Severity.WARNING,
    "RefreshMatViewStmt",
    problem="REFRESH stops every reader of the view until it is done.",
    fix="REFRESH MATERIALIZED VIEW CONCURRENTLY; the view needs a unique index for it.",
)
def refresh_without_concurrently(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find refreshes in the way of readers."""
    if not step.node.get("concurrent") and not scene.is_new(step.table):
        yield Hit(step.table, "readers wait", f"REFRESH MATERIALIZED VIEW CONCURRENTLY {step.table};", step.table)


@rule(
    "MIG007",
    Severity.WARNING,
    "LockStmt",
    "SelectStmt",
    problem="LOCK TABLE, and SELECT … FOR UPDATE of every row, stop other sessions for the rest of the transaction.",
    fix="Leave it to the statement to take the lock it needs; two runners exclude each other already.",
)
def lock_table(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find locks against writers that are taken by hand."""
    if step.kind == "SelectStmt":
        yield from _locked_rows(step, scene)
        return
    for _, relation in map(unwrap, step.node["relations"]):
        table = relation_name(relation)
        if step.node["mode"] >= _SHARE and not scene.is_new(table):
            yield Hit(table, "other sessions wait until the transaction ends")


def _locked_rows(step: Step, scene: Scene) -> Iterator[Hit]:
    strengths = {body.get("strength") for _, body in map(unwrap, step.node.get("lockingClause", ()))}
    if not strengths & {"LCS_FORUPDATE", "LCS_FORNOKEYUPDATE"} or step.node.get("whereClause") or step.node.get("limitCount"):
        return
    for kind, relation in map(unwrap, step.node.get("fromClause", ())):
        if kind == "RangeVar" and not scene.is_new(relation_name(relation)):
            yield Hit(relation_name(relation), "writers of every row wait until the transaction ends")


@rule(
    "MIG044",
    Severity.WARNING,
    "CreateTrigStmt",
    "RuleStmt",
    "CreateEventTrigStmt",
    problem="A new trigger holds off writes for a moment, and from then on every write pays for it and may fail because of it.",
    fix="Create the function first and test it; keep the trigger in a migration of its own, ignored here with the reason.",
)
def create_trigger(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find triggers and rules on tables that are in use."""
    if step.kind == "CreateEventTrigStmt":
        yield Hit(step.node["trigname"], f"every {step.node['eventname']} of the database runs it")
    elif not scene.is_new(step.table):
        yield Hit(step.node.get("trigname") or step.node.get("rulename") or step.table, f"every write to {step.table} runs it")


@rule(
    "MIG045",
    Severity.WARNING,
    "AT_DisableTrig",
    "AT_DisableTrigAll",
    "AT_DisableTrigUser",
    "AT_DisableRule",
    "AT_EnableReplicaTrig",
    "AT_EnableReplicaRule",
    "AlterEventTrigStmt",
    problem="While a trigger is off, what it guarantees is broken by everyone who writes; ALL switches off foreign keys too.",
    fix="Leave the triggers on; let the trigger's function pass over the rows of the migration.",
)
def disabled_trigger(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find triggers that are switched off, or fire on replicas alone."""
    if step.kind == "AlterEventTrigStmt":
        if step.node["tgenabled"] in {"D", "R"}:
            yield Hit(step.node["trigname"], "what it guarantees is broken while it is off")
    elif not scene.is_new(step.table):
        yield Hit(f"{step.table}.{step.node.get('name', 'all triggers')}", "what it guarantees is broken while it is off")


@rule(
    "MIG046",
    Severity.WARNING,
    "AT_EnableRowSecurity",
    "AT_ForceRowSecurity",
    problem="With row security on and no policy, everyone but the owner sees no row at all.",
    fix="CREATE POLICY in the same transaction, before ENABLE ROW LEVEL SECURITY.",
)
def row_security_without_policy(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find row security that comes without a policy."""
    if not scene.is_new(step.table) and step.table not in scene.whole.policies:
        yield Hit(step.table, "no policy lets anybody see a row")


@rule(
    "MIG049",
    Severity.WARNING,
    "CreateStmt",
    "AT_SetRelOptions",
    problem="Without autovacuum a table grows, its plans age, and it ends in a forced vacuum against wraparound.",
    fix="Leave it on; tune autovacuum_vacuum_scale_factor for the table.",
)
def autovacuum_off(step: Step, _: Scene) -> Iterator[Hit]:
    """Find tables that are taken out of autovacuum."""
    given = step.node.get("options", ()) if step.kind == "CreateStmt" else step.node["def"]["List"]["items"]
    found = option(given, "autovacuum_enabled")
    if found is not None and str(found.get("arg", {})).lower().find("true") < 0 and "'on'" not in str(found.get("arg")).lower():
        yield Hit(step.table, "autovacuum passes it over")
