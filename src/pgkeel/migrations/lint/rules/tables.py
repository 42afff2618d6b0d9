"""Tables: rewrites, locks taken by hand, triggers, row security, materialised views."""

import re
from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import constant, option, relation_name, unwrap

__all__: list[str] = []

_REWRITES = {
    "AT_SetLogged": "SET LOGGED writes the whole table to the log",
    "AT_SetUnLogged": "SET UNLOGGED rewrites the table, and a crash empties it from then on",
    "AT_SetTableSpace": "the table is copied to the other tablespace",
    "AT_SetAccessMethod": "the table is copied into the other access method",
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)\s*")
_UNITS = {"": 0.001, "us": 1e-6, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 60.0  # seconds
_SHARE = 5  # LOCKMODE numbers of lockdefs.h: from SHARE on, writers wait


@rule(
    "MIG005",
    Severity.ERROR,
    *_REWRITES,
    "VacuumStmt",
    "ClusterStmt",
    "RepackStmt",
    "AlterTableMoveAllStmt",
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
    problem="LOCK TABLE stops other sessions for the rest of the transaction.",
    fix="Leave it to the statement to take the lock it needs; two runners exclude each other already.",
)
def lock_table(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find locks against writers that are taken by hand."""
    for _, relation in map(unwrap, step.node["relations"]):
        table = relation_name(relation)
        if step.node["mode"] >= _SHARE and not scene.is_new(table):
            yield Hit(table, "other sessions wait until the transaction ends")


@rule(
    "MIG044",
    Severity.WARNING,
    "CreateTrigStmt",
    "RuleStmt",
    problem="A new trigger holds off writes for a moment, and from then on every write pays for it and may fail because of it.",
    fix="Create the function first and test it; keep the trigger in a migration of its own, ignored here with the reason.",
)
def create_trigger(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find triggers and rules on tables that are in use."""
    if not scene.is_new(step.table):
        yield Hit(step.node.get("trigname") or step.node.get("rulename") or step.table, f"every write to {step.table} runs it")


@rule(
    "MIG045",
    Severity.WARNING,
    "AT_DisableTrig",
    "AT_DisableTrigAll",
    "AT_DisableTrigUser",
    "AT_DisableRule",
    problem="While a trigger is off, what it guarantees is broken by everyone who writes; ALL switches off foreign keys too.",
    fix="Leave the triggers on; let the trigger's function pass over the rows of the migration.",
)
def disabled_trigger(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find triggers that are switched off."""
    if not scene.is_new(step.table):
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


@rule(
    "MIG047",
    Severity.WARNING,
    "VariableSetStmt",
    "AlterDatabaseSetStmt",
    "AlterRoleSetStmt",
    "SelectStmt",
    problem="Without a short lock_timeout a statement waits for its lock for long, and every query on the table waits behind it.",
    fix="Leave lock_timeout alone: the runner sets it and tries again. `-- Up Migration lock_timeout=500ms` changes it for "
    "a file.",
)
def lock_timeout_off(step: Step, _: Scene) -> Iterator[Hit]:
    """Find the lock timeout switched off."""
    value = _configured(step) if step.kind == "SelectStmt" else _set(step.node.get("setstmt", step.node))
    limit = _seconds(str(value)) if value is not None else None
    if limit == 0:
        yield Hit("lock_timeout", "a lock that is not free is waited for without end")
    elif limit is not None and limit > _LONGEST:
        yield Hit("lock_timeout", f"every query on the table may wait for {value}")


def _set(setting: Node) -> object:
    """Return what a SET or RESET makes of lock_timeout, or None."""
    if setting.get("kind") == "VAR_RESET_ALL":
        return 0
    if setting.get("name", "").lower() != "lock_timeout":
        return None
    arguments = setting.get("args", ())
    return constant(arguments[0]) if setting["kind"] == "VAR_SET_VALUE" and arguments else 0


def _seconds(duration: str) -> float | None:
    found = _DURATION.fullmatch(duration)
    return float(found[1]) * _UNITS[found[2]] if found else None


def _configured(step: Step) -> object:
    """Return what `set_config('lock_timeout', …)` sets, or None."""
    for _, target in map(unwrap, step.node.get("targetList", ())):
        kind, body = unwrap(target["val"]) if target.get("val") else ("", {})
        if kind == "FuncCall" and body["funcname"][-1]["String"]["sval"] == "set_config" and len(body.get("args", ())) > 1:
            name, value, *_ = map(constant, body["args"])
            if str(name).lower() == "lock_timeout":
                return value
    return None
