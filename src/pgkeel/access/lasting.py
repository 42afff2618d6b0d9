"""What a statement may leave behind in its session: such a connection is wiped before another caller gets it."""

import re
from functools import lru_cache
from importlib import resources

from pgkeel.access.errors import SessionFeature

__all__ = ["refuse_session_feature", "taints"]

_HARMLESS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(select|insert|update|delete|with|values|merge|table|explain|show|lock|savepoint|release"
    r"|rollback|truncate|refresh|analyze|vacuum|alter|drop|comment|grant|revoke|set\s+(?:local|transaction|constraints))\b",
    re.IGNORECASE | re.DOTALL,
)
_TEMPORARY = re.compile(r"\b(?:into|create)\s+(?:global\s+|local\s+)?temp", re.IGNORECASE)
_FOR_NOW = re.compile(r"\bset_config\s*\([^()]*,\s*true\s*\)", re.IGNORECASE)  # ends with the transaction
_CALL = re.compile(r"(?<![\w.\"$])(?:pg_catalog\.)?([a-z_][a-z0-9_.]*)\s*\(", re.IGNORECASE)
_NAMES = re.compile(r"'(?:[^']|'')*'|\b(?:into|as|table|references)\s+(?:only\s+)?[\w.\"]+\s*\(", re.IGNORECASE)
_LISTED = (resources.files("pgkeel.access") / "harmless.txt").read_text(encoding="utf-8").splitlines()
_KNOWN = frozenset(word for line in _LISTED if not line.startswith("#") for word in line.split())
_LOCAL = "SET LOCAL inside of db.transaction()"
_FIRST_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s*set\s+(?!local|transaction|constraints)", re.IGNORECASE), _LOCAL),
    (re.compile(r"\s*(un)?listen\b", re.IGNORECASE), "LISTEN needs a connection of its own, past the pooler"),
    (re.compile(r"\s*(prepare|deallocate|load|discard)\b", re.IGNORECASE), "leave it out: the pooler's servers are shared"),
)
_ANYWHERE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bset_config\s*\((?!.*,\s*true\s*\))", re.IGNORECASE | re.DOTALL), _LOCAL),
    (re.compile(r"\bpg_(try_)?advisory_lock(_shared)?\s*\(", re.IGNORECASE), "tx.lock(…) inside of db.transaction()"),
    (
        re.compile(r"\bcreate\s+(global\s+|local\s+)?temp(?!.*\bon\s+commit\s+drop\b)", re.IGNORECASE | re.DOTALL),
        "CREATE TEMP TABLE … ON COMMIT DROP inside of db.transaction()",
    ),
    (re.compile(r"\bwith\s+hold\b", re.IGNORECASE), "a cursor inside of db.transaction(), without HOLD"),
)


@lru_cache(maxsize=2000)
def taints(sql: str) -> bool:
    """Return whether a statement may leave something of the session behind: a setting, a lock, a listen, a temporary table.

    A function that is not known to be harmless counts as one that does.
    """
    if _HARMLESS.match(sql) is None or _TEMPORARY.search(sql) is not None:
        return True
    called = {name.lower() for name in _CALL.findall(_FOR_NOW.sub(" ", _NAMES.sub(" ", sql)))}
    return not called <= _KNOWN


def refuse_session_feature(sql: str) -> None:
    """Refuse a statement that needs a session of its own, which a transaction pooler has not.

    Raises:
        SessionFeature: It does; the hint is the way out.
    """
    way = _way_out(sql)
    if way is not None:
        raise SessionFeature("a transaction pooler stands before the server: this needs a session", hint=way)


@lru_cache(maxsize=2000)
def _way_out(sql: str) -> str | None:
    found = [way for pattern, way in _FIRST_WORDS if pattern.match(sql)]
    return next(iter(found or [way for pattern, way in _ANYWHERE if pattern.search(sql)]), None)
