"""The table of posts as Piccolo sees it."""

from typing import Any

from piccolo.columns import JSONB, UUID, BigInt, Text, Timestamptz
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

__all__ = ["posts_on"]


def posts_on(credentials: dict[str, Any]) -> tuple[Any, Any]:
    """Return the class of posts and its engine."""
    engine = PostgresEngine(config=credentials, extensions=())

    class Posts(Table, tablename="posts", db=engine):
        id = UUID(primary_key=True)
        user_id = UUID()
        title = Text()
        content = Text()
        status = Text()
        metadata = JSONB()
        published_at = Timestamptz(null=True)
        created_at = Timestamptz()
        updated_at = Timestamptz()
        version = BigInt()
        deleted_at = Timestamptz(null=True)

    return Posts, engine
