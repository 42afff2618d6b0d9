"""The audit log of a project: which tables it watches, and where its anchors lie."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.sink import Sink
from pgkeel.core.telling import Report
from pgkeel.postgres import Connection, load
from pgkeel.security import audit
from pgkeel.security.audit import FileSink, Watched
from pgkeel.stack.connection import connect
from pgkeel.stack.layout import layout_of
from pgkeel.stack.models import tables_of

__all__ = ["REFERENCE", "ensure_audit", "masked_columns", "sinks", "watched"]

REFERENCE = (
    Watched("public", "roles"),
    Watched("public", "user_roles"),
    Watched("public", "user_tokens", ("token",)),
    Watched("public", "users", ("email_bidx", "email_bidx_next", "password_hash", "username")),
)
"""Who may do what: watched from the first day. A test compares the masked columns with the marks of the models."""


def watched(project: Project, connection: Connection) -> tuple[Watched, ...]:
    """Return the tables that the project wants watched, with the columns that its models mark as secret or personal.

    Raises:
        ConfigError: `[security] audit` names something that is no table name.
    """
    named = project.config.security.audit
    if named is None:
        there = {row["name"] for row in load(__name__, "public_tables").rows(connection)}
        wanted = () if project.is_external else REFERENCE
        return tuple(one for one in wanted if one.table in there)
    marks = _marks(project) if named else {}
    return tuple(_watched(text, marks) for text in sorted(set(named)))


def ensure_audit(project: Project, report: Report) -> None:
    """Make the log of the embedded stack as declared; nothing happens when it is."""
    with closing(connect(project, "superuser", application="pgkeel up")) as superuser:
        plan = audit.plan(superuser, watched(project, superuser))
        if plan.watch or plan.unwatch or (plan.needs_log and audit.is_installed(superuser)):
            report("making the audit log as declared")
            audit.install(superuser, plan)


def sinks(project: Project) -> Sequence[Sink]:
    """Return where anchors go: a file beside the stack's state. Copy it to where the database's superuser has no say."""
    return (FileSink(layout_of(project).state / "audit" / "anchors.jsonl"),)


def _watched(text: str, marks: dict[str, tuple[str, ...]]) -> Watched:
    schema, dot, table = text.partition(".")
    if not text or (dot and not (schema and table)):
        raise ConfigError(f"security.audit: {text!r} is no table", hint='write "posts" or "public.posts"')
    name = (schema, table) if dot else ("public", text)
    return Watched(*name, marks.get(f"{name[0]}.{name[1]}", ()))


def masked_columns(table: Any) -> tuple[str, ...]:  # noqa: ANN401 - a table of SQLAlchemy, which is not imported for it
    """Return the columns of which the log keeps only that they changed: secret or personal ones in clear, and digests.

    Encrypted ones stay encrypted: who holds the keys reads them in the log as in the table.
    """
    from pgkeel.schema.sealed_type import EncryptedType, is_blind_index  # noqa: PLC0415 - SQLAlchemy only where it is used

    def is_masked(column: Any) -> bool:  # noqa: ANN401 - as above
        is_clear = not isinstance(column.type, EncryptedType) and bool(column.info.get("secret") or column.info.get("pii"))
        return is_clear or is_blind_index(column)

    return tuple(sorted(column.name for column in table.columns if is_masked(column)))


def _marks(project: Project) -> dict[str, tuple[str, ...]]:
    """Return the masked columns of each table of the models."""
    return {f"{table.schema or 'public'}.{table.name}": masked_columns(table) for table in tables_of(project)}
