"""One way to make users, so that a change of what a user needs is made once."""

from typing import Any
from uuid import UUID

from pgkeel.schema.models import User

__all__ = ["new_user", "user_fields"]


def user_fields(name: str = "ada", **fields: Any) -> dict[str, Any]:
    return {"email": f"{name}@example.org", "password_hash": "!", **fields}


async def new_user(db: Any, name: str = "ada", **fields: Any) -> UUID:
    key: UUID = await db.repository(User).insert(**user_fields(name, **fields))
    return key
