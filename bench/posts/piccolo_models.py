"""The table of posts as Piccolo sees it."""

from importlib import import_module
from typing import Any

__all__ = ["posts_on"]


def posts_on(credentials: dict[str, Any]) -> tuple[Any, Any]:
    """Return the class of posts and its engine."""
    columns: Any = import_module("piccolo.columns")
    table: Any = import_module("piccolo.table").Table
    engine = import_module("piccolo.engine.postgres").PostgresEngine(config=credentials, extensions=())

    class Posts(table, tablename="posts", db=engine):  # type: ignore[call-arg, misc]
        id = columns.UUID(primary_key=True)
        user_id = columns.UUID()
        title = columns.Text()
        content = columns.Text()
        status = columns.Text()
        metadata = columns.JSONB()
        published_at = columns.Timestamptz(null=True)
        created_at = columns.Timestamptz()
        updated_at = columns.Timestamptz()
        version = columns.BigInt()
        deleted_at = columns.Timestamptz(null=True)

    return Posts, engine
