"""What is declared: our roles, their groups, and their rights; the team adds its schemas and exceptions in `pgkeel.toml`."""

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from pgkeel.core.config import SecurityConfig
from pgkeel.core.errors import ConfigError
from pgkeel.security.names import AUDIT, AUDITOR, BACKUP, MONITOR, OWNER, READERS, WRITERS
from pgkeel.security.roles.rights import Membership, Role

__all__ = ["DEFAULT", "MEMBERSHIPS", "NAMES", "OURS", "ROLES", "SYSTEM_RIGHTS", "Declaration", "Exceptions"]

OURS = {"pgkeel": OWNER, "audit": AUDIT}  # the schemas that we make, and who owns them

_READS_ONLY = {"default_transaction_read_only": "on"}  # a belt, not the barrier: the barrier is that the group may not write
ROLES: tuple[Role, ...] = (
    *(Role(name) for name in (OWNER, WRITERS, READERS, AUDIT, AUDITOR)),
    # what the migrator makes belongs to the owner, so that default privileges always apply
    Role("pgkeel_migrator", can_login=True, inherits=False, settings={"role": OWNER}),
    Role(MONITOR, can_login=True),
    Role(BACKUP, can_login=True, replicates=True),
    *(Role(f"pgkeel_app_{side}", can_login=True) for side in "ab"),
    *(Role(f"pgkeel_readonly_{side}", can_login=True, settings=_READS_ONLY) for side in "ab"),
)
NAMES = frozenset(role.name for role in ROLES)

MEMBERSHIPS: tuple[Membership, ...] = (
    Membership(OWNER, "pgkeel_migrator", inherits=False, may_become=True),
    Membership("pg_monitor", MONITOR, inherits=True, may_become=False),
    *(Membership(WRITERS, f"pgkeel_app_{side}", inherits=True, may_become=False) for side in "ab"),
    *(Membership(READERS, f"pgkeel_readonly_{side}", inherits=True, may_become=False) for side in "ab"),
)

# (kind, name, grantee, privilege) in pg_catalog: what checks read beyond pg_monitor, and what an online backup calls
SYSTEM_RIGHTS = (
    ("TABLE", "pg_hba_file_rules", MONITOR, "SELECT"),
    ("ROUTINE", "pg_hba_file_rules", MONITOR, "EXECUTE"),
    *(
        ("ROUTINE", name, BACKUP, "EXECUTE")
        for name in ("pg_backup_start", "pg_backup_stop", "pg_create_restore_point", "pg_switch_wal")
    ),
)

_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_BY_COLUMN = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
_TERM = re.compile(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*(?:,|\Z)")

Exceptions = Mapping[tuple[str, str], tuple[tuple[str, str], ...]]


class Declaration(msgspec.Struct, frozen=True):
    """What holds in one database.

    Attributes:
        schemas: The team's schemas.
        tables: Group → (schema, table) → (privilege, column or ""), where it is not what the group has everywhere.
        owns_server: Whether the server is the embedded one: PUBLIC is nobody's there, and other databases are no way in.
        decodes: Whether the agent, which acts as the owner, follows the WAL for a cache: that takes the attribute REPLICATION.
    """

    schemas: tuple[str, ...] = ("public",)
    tables: Mapping[str, Exceptions] = {}
    owns_server: bool = False
    decodes: bool = False

    @classmethod
    def of(cls, config: SecurityConfig, *, owns_server: bool = False, decodes: bool = False) -> "Declaration":
        """Return what a project declares.

        Raises:
            ConfigError: A schema is not the team's, or an exception is not a list of privileges.
        """
        for schema in config.schemas:
            if schema in OURS or schema.startswith("pg_") or schema == "information_schema":
                raise ConfigError(f"security.schemas names {schema}, which is not the team's", hint="leave it out")
        written = {WRITERS: ("rw", config.rw), READERS: ("ro", config.ro)}
        tables = {group: dict(_exceptions(key, given, config.schemas)) for group, (key, given) in written.items()}
        return cls(config.schemas, tables, owns_server, decodes)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Our roles with their attributes."""
        return tuple(replace(role, replicates=True) if self.decodes and role.name == OWNER else role for role in ROLES)

    @property
    def all_schemas(self) -> tuple[str, ...]:
        """The team's schemas and ours."""
        return (*self.schemas, *OURS)

    @property
    def closed(self) -> tuple[str, ...]:
        """The databases besides the connected one whose rights are declared."""
        return ("postgres", "template1") if self.owns_server else ()


DEFAULT = Declaration()


def _exceptions(
    key: str, given: Mapping[str, str], schemas: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], tuple[tuple[str, str], ...]]]:
    for name, text in given.items():
        schema, _, table = name.partition(".") if "." in name else (schemas[0] if schemas else "", "", name)
        if schema not in schemas or not table:
            raise ConfigError(
                f"security.{key}: {name} is in no declared schema", hint='write "schema.table"; see security.schemas'
            )
        yield (schema, table), tuple(_privileges(f"security.{key}.{name}", text))


def _privileges(path: str, text: str) -> Iterator[tuple[str, str]]:
    end = 0
    while end < len(text.rstrip()):
        match = _TERM.match(text, end)
        if match is None:
            raise ConfigError(
                f"{path}: {text!r} is not a list of privileges", hint='write "SELECT (id, title), INSERT"; "" is none'
            )
        word, columns = match[1].upper(), match[2]
        if word not in (_PRIVILEGES if columns is None else _BY_COLUMN):
            raise ConfigError(f"{path}: {match[0].strip()!r} is not a privilege here", hint=f"one of {', '.join(_PRIVILEGES)}")
        yield from ((word, column.strip()) for column in ([""] if columns is None else columns.split(",")))
        end = match.end()
