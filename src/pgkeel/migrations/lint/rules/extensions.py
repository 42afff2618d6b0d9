"""Extensions and collations: code of others that changes under the data."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import strings

__all__: list[str] = []

_BEYOND = {
    "plpython3u": "functions in it run as the server's account",
    "plperlu": "functions in it run as the server's account",
    "pltclu": "functions in it run as the server's account",
    "adminpack": "it reads and writes the server's files",
    "file_fdw": "it reads the server's files and runs programs",
    "pg_surgery": "it changes rows behind the back of every check",
}


@rule(
    "MIG067",
    Severity.WARNING,
    "AlterExtensionStmt",
    problem="The update script of an extension runs what it likes, in one transaction: it may lock or rewrite tables that use "
    "its types, and cannot be undone.",
    fix="Read the script, `pgkeel migrate trace` it on a copy, and keep it in a migration of its own.",
)
def extension_update(step: Step, _: Scene) -> Iterator[Hit]:
    """Find updates of extensions."""
    yield Hit(step.node["extname"], "its update script runs unseen")


@rule(
    "MIG070",
    Severity.WARNING,
    "AlterCollationStmt",
    "AlterDatabaseRefreshCollStmt",
    problem="It takes the warning away, not its cause: indexes that were built under the old order find rows no longer.",
    fix="REINDEX … CONCURRENTLY what is sorted by the collation first, then refresh the version.",
)
def collation_version(step: Step, _: Scene) -> Iterator[Hit]:
    """Find versions of collations that are declared current."""
    yield Hit(step.node.get("dbname") or ".".join(strings(step.node.get("collname", ()))), "indexes may be out of order")


@rule(
    "SEC109",
    Severity.WARNING,
    "CreateExtensionStmt",
    section="Security",
    problem="Whoever may use it acts outside of the database's rules.",
    fix="Do it in a service beside the database; or allow it with an ignore that says who may use it.",
)
def untrusted_extension(step: Step, _: Scene) -> Iterator[Hit]:
    """Find extensions that reach out of the database."""
    name = step.node["extname"]
    if name in _BEYOND:
        yield Hit(name, _BEYOND[name])
