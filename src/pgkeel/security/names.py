"""The names of our roles: groups own rights, logins have passwords, and a command's `--role` says the short word."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

__all__ = ["GROUPS", "LOGINS", "OWNER", "ROLE_WORDS", "SUPERUSER", "RoleWord"]

OWNER = "pgkeel_owner"
GROUPS = (OWNER, "pgkeel_rw", "pgkeel_ro")
SUPERUSER = "postgres"

RoleWord = Literal["owner", "app", "readonly", "monitor", "superuser"]
ROLE_WORDS: tuple[RoleWord, ...] = get_args(RoleWord)

LOGINS: Mapping[str, str] = MappingProxyType(
    {
        "owner": "pgkeel_migrator",
        "app": "pgkeel_app_a",
        "readonly": "pgkeel_readonly_a",
        "monitor": "pgkeel_monitor",
    }
)
