"""Hand-written SQL: named values become the server's parameters, records become structs; what a statement leaves behind."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy.engine import Dialect

from pgkeel.core.errors import UsageError
from pgkeel.postgres import Query

__all__ = ["arranged", "reader", "taints"]

T = TypeVar("T")
_CLEAN = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(select|insert|update|delete|with|values|merge|table|explain|show|lock|savepoint|release"
    r"|rollback|truncate|refresh|analyze|vacuum|alter|drop|comment|grant|revoke|set\s+(?:local|transaction|constraints))\b",
    re.IGNORECASE | re.DOTALL,
)
_LASTING = re.compile(r"set_config|pg_(try_)?advisory_lock|\binto\s+temp|dblink", re.IGNORECASE)


@lru_cache(maxsize=1000)
def taints(sql: str) -> bool:
    """Return whether a statement may leave something of the session behind: a setting, a lock, a listen, a temporary table."""
    return _CLEAN.match(sql) is None or _LASTING.search(sql) is not None


@lru_cache(maxsize=1000)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    return Query(sql).numbered()


def arranged(sql: str | Query, values: Mapping[str, object], dialect: Dialect) -> tuple[str, list[object]]:
    """Return the statement with `$1 …` and its values in that order.

    Raises:
        UsageError: A value is missing, or is not used.
    """
    text, names = _numbered(sql.text if isinstance(sql, Query) else sql)
    if set(names) != values.keys():
        wrong = sorted(set(names) ^ values.keys())
        raise UsageError(f"the statement and its values disagree about {', '.join(wrong)}", hint="write %(name)s for each value")
    return text, [_adapted(values[name], dialect) for name in names]


def _adapted(value: object, dialect: Dialect) -> object:
    """Return a dict as the driver writes JSON; everything else the driver knows."""
    if not isinstance(value, dict):
        return value
    if dialect.driver == "asyncpg":
        return json.dumps(value)
    from psycopg.types.json import Jsonb  # noqa: PLC0415 - with this driver only

    return Jsonb(value)


def reader(into: Callable[..., T], names: Sequence[str]) -> Callable[[Iterable[Any]], T]:
    """Return what makes a record into a struct, a dict, or, for one column, a plain value.

    Raises:
        UsageError: The columns do not fit the struct's fields.
    """
    make: Any = into
    if into is dict:
        return lambda record: make(zip(names, record, strict=True))
    if not (isinstance(into, type) and issubclass(into, msgspec.Struct)):
        if len(names) != 1:
            raise UsageError(f"{len(names)} columns do not fit one value", hint="pass into= a msgspec.Struct")
        return lambda record: next(iter(record))
    fields = into.__struct_fields__
    if tuple(names) == fields:
        return lambda record: make(*record)
    if set(names) - set(fields):
        wrong = ", ".join(sorted(set(names) - set(fields)))
        raise UsageError(f"{into.__name__} has no field for {wrong}", hint="name the columns like the fields: SELECT x AS field")
    return lambda record: make(**dict(zip(names, record, strict=True)))
