"""Roles, TLS, encryption, audit, identity."""

from pgkeel.security.names import LOGINS, OWNER, ROLE_WORDS, SUPERUSER, RoleWord
from pgkeel.security.roles import ensure_passwords, ensure_rights, ensure_roles

__all__ = [
    "LOGINS",
    "OWNER",
    "ROLE_WORDS",
    "SUPERUSER",
    "RoleWord",
    "ensure_passwords",
    "ensure_rights",
    "ensure_roles",
]
