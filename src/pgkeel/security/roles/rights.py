"""The values of the role model: a right, what it is on, a role and its groups."""

from collections.abc import Mapping

import msgspec

__all__ = ["PUBLIC", "Held", "Membership", "Right", "Role", "Target"]

PUBLIC = ""


class Target(msgspec.Struct, frozen=True, order=True):
    """What a right is on.

    Attributes:
        kind: `DATABASE`, `SCHEMA`, `TABLE` (views too), `SEQUENCE` or `ROUTINE`; `TABLES`, `SEQUENCES` or `ROUTINES` are those
            that somebody makes later.
        names: Its name, schema first. Of later ones: who makes them, and in which schema; "" is everywhere.
        arguments: Of a routine, as the server writes them.
    """

    kind: str
    names: tuple[str, ...]
    arguments: str = ""

    @property
    def is_later(self) -> bool:
        """Whether it stands for what is made later (default privileges)."""
        return self.kind.endswith("S")

    @property
    def schema(self) -> str | None:
        """The schema it is or lies in; None for a database and for what is made later everywhere."""
        if self.kind == "DATABASE":
            return None
        return (self.names[1] or None) if self.is_later else self.names[0]

    def __str__(self) -> str:
        """Return it in words."""
        if not self.is_later:
            return f"{self.kind.lower()} {'.'.join(self.names)}" + (f"({self.arguments})" if self.kind == "ROUTINE" else "")
        place = f" in {self.names[1]}" if self.names[1] else ""
        return f"later {self.kind.lower()} of {self.names[0]}{place}"


class Right(msgspec.Struct, frozen=True, order=True):
    """One privilege of one role; `grantee` "" is PUBLIC, `column` "" is the whole."""

    target: Target
    grantee: str
    privilege: str
    column: str = ""


class Held(msgspec.Struct, frozen=True):
    """How the server keeps a right: who owns the object, who granted, and whether it may be passed on."""

    right: Right
    owner: str
    grantor: str
    is_grantable: bool


class Membership(msgspec.Struct, frozen=True, order=True):
    """A role in a group. Before PostgreSQL 16 `inherits` is the member's attribute and `may_become` always true."""

    group: str
    member: str
    inherits: bool
    may_become: bool
    is_admin: bool = False
    grantor: str = ""


class Role(msgspec.Struct, frozen=True):
    """A role's attributes and settings."""

    name: str
    can_login: bool = False
    inherits: bool = True
    is_superuser: bool = False
    creates_roles: bool = False
    creates_databases: bool = False
    replicates: bool = False
    bypasses_rls: bool = False
    settings: Mapping[str, str] = {}
