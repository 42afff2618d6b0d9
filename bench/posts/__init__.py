"""The table that measurements of the data access share: posts of one author, and the statements a careful person would write."""

from uuid import UUID

import psycopg
import sqlalchemy

from pgkeel.access import sync
from pgkeel.core.url import Url
from pgkeel.schema.models import Base, Post, User
from pgkeel.testing.keys import ring_for_tests

__all__ = ["COLUMNS", "INSERT", "PAGE", "POINT", "fill"]

COLUMNS = "id, user_id, title, content, status, metadata, published_at, created_at, updated_at, version, deleted_at"
POINT = f"SELECT {COLUMNS} FROM posts WHERE id = $1 AND deleted_at IS NULL"
PAGE = f"SELECT {COLUMNS} FROM posts WHERE deleted_at IS NULL ORDER BY id LIMIT 51"
INSERT = "INSERT INTO posts (user_id, title, content) VALUES ($1, $2, $3) RETURNING id"


def fill(url: Url, count: int) -> tuple[UUID, list[UUID]]:
    """Make the reference schema with so many posts; return their author and their ids."""
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url.reveal()))
    Base.metadata.create_all(engine)
    engine.dispose()
    with sync.Database(url, keys=ring_for_tests()) as db:
        author = db.repository(User).insert(email="bench@example.org", password_hash="!")
        rows = ({"user_id": author, "title": f"post {n}", "content": "word " * 60, "metadata": {"n": n}} for n in range(count))
        keys = db.repository(Post).insert_many_returning(rows)
        db.sql("VACUUM ANALYZE posts")
    return author, keys
