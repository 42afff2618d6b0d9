"""The names of our roles: groups own rights, logins have passwords, and a command's `--role` says the short word."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

__all__ = [
    "AUDIT",
    "AUDITOR",
    "BACKUP",
    "LOGINS",
    "MONITOR",
    "OWNER",
    "READERS",
    "ROLE_WORDS",
    "SUPERUSER",
    "WRITERS",
    "RoleWord",
]

OWNER = "pgkeel_owner"
WRITERS = "pgkeel_rw"
READERS = "pgkeel_ro"
AUDIT = "pgkeel_audit"
AUDITOR = "pgkeel_auditor"
MONITOR = "pgkeel_monitor"
BACKUP = "pgkeel_backup"
SUPERUSER = "postgres"

RoleWord = Literal["owner", "app", "readonly", "monitor", "backup", "superuser"]
ROLE_WORDS: tuple[RoleWord, ...] = get_args(RoleWord)

LOGINS: Mapping[str, str] = MappingProxyType(
    {
        "owner": "pgkeel_migrator",
        "app": "pgkeel_app_a",
        "readonly": "pgkeel_readonly_a",
        "monitor": MONITOR,
        "backup": BACKUP,
    }
)
