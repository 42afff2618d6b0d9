"""The table of posts as Tortoise sees it."""

from tortoise import fields
from tortoise.models import Model

__all__ = ["Posts"]


class Posts(Model):
    """A post."""

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField()
    title = fields.TextField()
    content = fields.TextField()
    status = fields.TextField()
    metadata: object = fields.JSONField()
    published_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    version = fields.BigIntField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        """Where it is."""

        table = "posts"
