"""Roles: declared, compared with the server, applied; passwords that leave this process only hashed."""

from pgkeel.security.roles.apply import Applied, LastPath, RolesMoved, apply, ensure_rights, ensure_roles
from pgkeel.security.roles.declaration import Declaration
from pgkeel.security.roles.matrix import Cell, matrix
from pgkeel.security.roles.passwords import ensure_passwords
from pgkeel.security.roles.plan import Plan, plan, plan_for
from pgkeel.security.roles.state import State, read_state

__all__ = [
    "Applied",
    "Cell",
    "Declaration",
    "LastPath",
    "Plan",
    "RolesMoved",
    "State",
    "apply",
    "ensure_passwords",
    "ensure_rights",
    "ensure_roles",
    "matrix",
    "plan",
    "plan_for",
    "read_state",
]
