"""Settings: the ones that keep a wait short, a commit safe and a door open."""

import re
from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import constant, option, unwrap

__all__: list[str] = []

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)\s*")
_UNITS = {"": 0.001, "us": 1e-6, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 60.0  # seconds
_SETS = ("VariableSetStmt", "AlterDatabaseSetStmt", "AlterRoleSetStmt")
_LIMITS = {"statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"}


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
    value = _configured(step, "lock_timeout") if step.kind == "SelectStmt" else _set(step, "lock_timeout")
    limit = _seconds(str(value)) if value is not None else None
    if limit == 0:
        yield Hit("lock_timeout", "a lock that is not free is waited for without end")
    elif limit is not None and limit > _LONGEST:
        yield Hit("lock_timeout", f"every query on the table may wait for {value}")


def _set(step: Step, name: str) -> object:
    """Return what a SET or RESET makes of a setting, or None where it is about another one."""
    setting: Node = step.node.get("setstmt", step.node)
    if setting.get("kind") == "VAR_RESET_ALL":
        return 0
    if setting.get("name", "").lower() != name:
        return None
    arguments = setting.get("args", ())
    return constant(arguments[0]) if setting["kind"] == "VAR_SET_VALUE" and arguments else 0


def _seconds(duration: str) -> float | None:
    found = _DURATION.fullmatch(duration)
    return float(found[1]) * _UNITS[found[2]] if found else None


def _configured(step: Step, wanted: str) -> object:
    """Return what `set_config('NAME', …)` sets, or None."""
    for _, target in map(unwrap, step.node.get("targetList", ())):
        kind, body = unwrap(target["val"]) if target.get("val") else ("", {})
        if kind == "FuncCall" and body["funcname"][-1]["String"]["sval"] == "set_config" and len(body.get("args", ())) > 1:
            name, value, *_ = map(constant, body["args"])
            if str(name).lower() == wanted:
                return value
    return None


@rule(
    "MIG060",
    Severity.WARNING,
    *_SETS,
    "SelectStmt",
    problem="Without a limit a statement or a forgotten transaction holds its locks, and the oldest row versions, for ever.",
    fix="Leave the limit, or raise it: SET LOCAL statement_timeout = '15min'. A file's own limit: `-- Up Migration "
    "statement_timeout=15min`.",
)
def time_limit_off(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find limits of time switched off, unless only for what works beside the traffic."""
    if step.kind in {"VariableSetStmt", "SelectStmt"} and scene.is_beside_traffic:
        return
    for name in sorted(_LIMITS):
        value = _configured(step, name) if step.kind == "SelectStmt" else _set(step, name) if _is_given(step) else None
        if value is not None and _seconds(str(value)) == 0:
            yield Hit(name, "nothing ends what hangs")


@rule(
    "MIG061",
    Severity.WARNING,
    *_SETS,
    problem="A commit that was answered is lost when the server crashes in the next moment.",
    fix="Leave synchronous_commit on; write in batches where commits are slow.",
)
def commits_may_be_lost(step: Step, _: Scene) -> Iterator[Hit]:
    """Find commits that are answered before they are kept."""
    if str(_set(step, "synchronous_commit")).lower() in {"off", "false", "no", "0"} and _is_given(step):
        yield Hit("synchronous_commit", "what was committed may be gone after a crash")


def _is_given(step: Step) -> bool:
    return str(step.node.get("setstmt", step.node)["kind"]) == "VAR_SET_VALUE"


@rule(
    "MIG062",
    Severity.ERROR,
    "AlterDatabaseStmt",
    "AlterRoleStmt",
    problem="Programs that run cannot connect again: the next restart or lost connection takes them down.",
    fix="Move the programs over to another login or database first; then close the door, with an ignore that says so.",
)
def connections_refused(step: Step, _: Scene) -> Iterator[Hit]:
    """Find logins and databases that nobody can use from then on."""
    options = step.node.get("options", ())
    name = step.node.get("dbname") or step.node.get("role", {}).get("rolename", "")
    for word in ("allow_connections", "canlogin", "connection_limit", "connectionlimit"):
        found = option(options, word)
        if found is not None and _is_nothing(found.get("arg", {})):
            yield Hit(name, "new connections are refused")
            return


def _is_nothing(argument: Node) -> bool:
    kind, body = unwrap(argument) if argument else ("", {})
    match kind:
        case "Integer":
            return int(body.get("ival", 0)) == 0
        case "Boolean":
            return not body.get("boolval")
        case _:
            return str(body.get("sval", "")).lower() in {"false", "off", "0"}
