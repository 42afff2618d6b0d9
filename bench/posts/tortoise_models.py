"""The table of posts as Tortoise sees it."""

from importlib import import_module
from typing import Any

__all__ = ["Posts"]

fields: Any = import_module("tortoise.fields")
Model: Any = import_module("tortoise.models").Model


class Posts(Model):  # type: ignore[misc]
    """A post."""

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField()
    title = fields.TextField()
    content = fields.TextField()
    status = fields.TextField()
    metadata = fields.JSONField()
    published_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    version = fields.BigIntField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        """Where it is."""

        table = "posts"
