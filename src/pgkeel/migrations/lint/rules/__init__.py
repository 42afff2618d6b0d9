"""The rules, a module a subject. Importing the package fills `lint.check.CHECKS`."""

from pgkeel.core.rules import Registry
from pgkeel.migrations.lint.check import CHECKS
from pgkeel.migrations.lint.rules import (
    calls,
    columns,
    constraints,
    drops,
    extensions,
    indexes,
    partitions,
    replication,
    rows,
    security,
    sequences,
    settings,
    tables,
    transactions,
    types,
)

__all__ = [
    "REGISTRY",
    "calls",
    "columns",
    "constraints",
    "drops",
    "extensions",
    "indexes",
    "partitions",
    "replication",
    "rows",
    "security",
    "sequences",
    "settings",
    "tables",
    "transactions",
    "types",
]

REGISTRY = Registry(check.rule for _, check in sorted(CHECKS.items()))
