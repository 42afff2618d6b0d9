"""The rules, a module a subject. Importing the package fills `lint.check.CHECKS`."""

from pgkeel.core.rules import Registry
from pgkeel.migrations.lint.check import CHECKS
from pgkeel.migrations.lint.rules import columns, constraints, drops, indexes, partitions, rows, security, tables, types

__all__ = ["REGISTRY", "columns", "constraints", "drops", "indexes", "partitions", "rows", "security", "tables", "types"]

REGISTRY = Registry(check.rule for _, check in sorted(CHECKS.items()))
