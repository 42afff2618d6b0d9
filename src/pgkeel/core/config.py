"""The settings of `pgkeel.toml` and their types; the defaults are the design's numbers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal, get_type_hints

import msgspec

__all__ = ["ZERO", "BackupConfig", "Config", "leaves"]


ZERO = "zero"  # backup.rpo: a commit waits until the receiver has it


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all sections: immutable, and an unknown key is an error."""


class DatabaseConfig(_Section, frozen=True):
    """Which database. Without a `url` the embedded servers run.

    Attributes:
        url: Reference to the address of an external server: `env:NAME` or `file:PATH`, or a URL without a password.
        name: Name of the embedded stack's database.
        manage: Whether `up` may write to an external database without `--yes`.
    """

    url: str | None = None
    name: str = "app"
    manage: bool = False


class PoolConfig(_Section, frozen=True):
    """Connection pooling; the design's four numbers.

    Attributes:
        min: Connections opened at start and kept.
        max: Connections at most, for all doors together.
        idle: How long one above `min` may lie unused.
        connect: How long a caller waits for a connection, connecting included.
        lifetime: How long a connection is used before it is replaced.
        health: How long one may lie unused before it is asked whether it still answers.
        statement_timeout: How long a statement may run before the server ends it; `0s` leaves that to the server's own setting.
        owner_stacks: Whether the error of an exhausted pool says where in the code its connections were taken; costs 10 µs each.
        pooler: `none`, `transaction` where PgBouncer or its like stands before the server, or `detect`.
    """

    min: int = 2
    max: int = 10
    idle: timedelta = timedelta(seconds=30)
    connect: timedelta = timedelta(seconds=2)
    lifetime: timedelta = timedelta(hours=1)
    health: timedelta = timedelta(seconds=15)
    statement_timeout: timedelta = timedelta(0)
    owner_stacks: bool = False
    pooler: Literal["detect", "none", "transaction"] = "detect"


class LocalConfig(_Section, frozen=True):
    """The embedded servers.

    Attributes:
        postgres: A major ("15" to "18") or the path of a `bin/` folder.
        port: PostgreSQL's port; 0 chooses a free one and remembers it.
        valkey: Whether Valkey runs too.
        valkey_port: Valkey's port; 0 chooses a free one and remembers it.
        directory: Where the stack keeps its state, relative to the project.
        run_as: The account of the servers when pgkeel is started by root.
    """

    postgres: str = "17"
    port: int = 0
    valkey: bool = True
    valkey_port: int = 0
    directory: str = ".pgkeel"
    run_as: str | None = None


class SchemaConfig(_Section, frozen=True):
    """The schema.

    Attributes:
        reference: Whether the design's tables are kept; null means: on the embedded stack only.
        models: `package.module:Base` of the SQLAlchemy models.
        rows: File that `schema rows` writes, relative to the project; null means beside the models.
    """

    reference: bool | None = None
    models: str = "pgkeel.schema.models:Base"
    rows: str | None = None


class MigrationsConfig(_Section, frozen=True):
    """How migrations run.

    Attributes:
        directory: The team's migration files, relative to the project.
        lock_timeout: How long a transactional statement waits for its lock: the worst stall a reader can see.
        deadline: How long one unit is retried after lock timeouts.
        wait: How long a runner waits for another runner.
    """

    directory: str = "migrations"
    lock_timeout: timedelta = timedelta(milliseconds=100)
    deadline: timedelta = timedelta(minutes=5)
    wait: timedelta = timedelta(minutes=10)


class MonitorConfig(_Section, frozen=True):
    """Monitoring thresholds of the design.

    Attributes:
        slow_query: Statements slower than this are logged and alert.
    """

    slow_query: timedelta = timedelta(seconds=1)


class SecurityConfig(_Section, frozen=True):
    """Who may do what, and from where.

    Attributes:
        schemas: The team's schemas: in them our roles get what is declared and lose the rest (`security roles apply`).
        rw: Privileges of `pgkeel_rw` on single tables, where not `SELECT, INSERT, UPDATE, DELETE`: `{"roles" = "SELECT"}`.
        ro: Privileges of `pgkeel_ro` on single tables, where not `SELECT`: `{"users" = "SELECT (id)", "sessions" = ""}`.
        key: Reference to the key that wraps the keys of encrypted columns: `env:NAME` or `file:PATH`; null means: a file of the
            embedded stack.
        key_refresh: How often every process reads the keys again; a new key seals only after so long.
        app_networks: From where the application connects; whoever can get in from elsewhere is a finding (`security exposure`).
        audit: Tables whose changes the audit log keeps, as "table" or "schema.table"; null means: on the embedded stack those of
            the reference schema that say who may do what.
        audit_keep: How long the audit log keeps a month; older ones are taken out of it (`agent` job `audit`).
        at_rest: Who says that the disks are encrypted, where that cannot be seen from here; `security at-rest` shows it as said.
    """

    schemas: tuple[str, ...] = ("public",)
    rw: dict[str, str] = {}
    ro: dict[str, str] = {}
    key: str | None = None
    key_refresh: timedelta = timedelta(seconds=30)
    app_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    audit: tuple[str, ...] | None = None
    audit_keep: timedelta = timedelta(days=400)
    at_rest: str | None = None


class RetentionConfig(_Section, frozen=True):
    """How long data is kept.

    Attributes:
        deleted: How long a soft-deleted row can be restored; then the agent purges it. null keeps it for ever.
    """

    deleted: timedelta | None = None


class AgentConfig(_Section, frozen=True):
    """The agent that keeps the promises.

    Attributes:
        time_zone: IANA name of the zone in which schedules are read.
        schedules: Cron lines that replace a job's own, by job name.
        partitions_ahead: Months of `events` partitions made in advance.
        refresh: Materialised views that are computed again every quarter of an hour, in this order.
        handlers: Who is told of the events that transactions publish: `{"order.paid" = "shop.mail:send_receipt"}`.
        once_kept: How long idempotency keys are remembered.
    """

    time_zone: str = "UTC"
    schedules: dict[str, str] = {}
    partitions_ahead: int = 3
    refresh: tuple[str, ...] = ()
    handlers: dict[str, str] = {}
    once_kept: timedelta = timedelta(days=7)


class ChecksConfig(_Section, frozen=True):
    """What the team has decided about rules.

    Attributes:
        accept: Findings that may stay, each with its reason: `{"IDX002:posts.posts_user_id_fkey" = "ten rows for ever"}`.
    """

    accept: dict[str, str] = {}


class CacheConfig(_Section, frozen=True):
    """The cache. Without a `url` it is the embedded Valkey.

    Attributes:
        url: Reference to the address of an external server: `env:NAME` or `file:PATH`, or a URL without a password.
        secret: Reference to what keys are hashed with, the same for all processes; null is one that the embedded stack makes.
        namespace: What all keys begin with.
        mark: How long a write may take from the announcement of its COMMIT to its end; after a flush nobody fills for as long.
        publication: Tables whose writes by anybody the agent hears of by logical decoding; null is none of them.
    """

    url: str | None = None
    secret: str | None = None
    namespace: str = "pgkeel"
    mark: timedelta = timedelta(seconds=10)
    publication: str | None = None


class BackupConfig(_Section, frozen=True):
    """Backups: where they lie, who can open them, and what is promised.

    Attributes:
        directory: Where the received WAL waits, and on the embedded stack the repository `local` and the identity, relative to
            the project; `reset` keeps it.
        repositories: Name → a folder (relative to the project) or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`. The first is
            written to, the others get copies. Empty means: one folder in `directory`, on the embedded stack only.
        recipients: age recipients (`age1…`), any one of whose identities opens a backup; two are recommended. Empty means: of
            the identity that `up` made.
        identity: Reference to the age identity that opens backups: `file:PATH` or `env:NAME`; null means the one that `up` made.
            A file may hold several, a line each, as `age-keygen` writes them: any of them opens what it can.
        window: How far back a point in time can be restored; older backups are pruned.
        minimum: How many full backups are kept at least, however old.
        rto: How long a recovery may take; a full backup is taken early when replaying WAL would take longer.
        rpo: How much may be lost: a duration, within which WAL leaves the machine, or "zero": a commit waits for the receiver.
        slot: Name of the replication slot.
        slot_limit: How much WAL the server keeps for a receiver that is away (`max_slot_wal_keep_size`); then there is a gap.
        tools: A `bin` folder with PostgreSQL's client programs; null means the newest that are installed.
        escrow_keys: Whether each backup carries the key that wraps those of encrypted fields, for the same recipients.
        image: Whether a restored copy is rolled forward every hour where the hour is a WAL slice (15, 16, unsound minors);
            it takes as much room as the data. null means: on the embedded stack only.
        engine: Who takes the backups: `pgkeel`, or `barman`, `pgbackrest`, `wal-g`, whose program is run; the agent drills them.
        engine_command: The command that runs that program, for example `barman -c /etc/barman.conf`; null means its name.
        engine_server: Its name in Barman, the stanza of pgBackRest, or the data directory that WAL-G backs up.
        receive: Whether the agent receives WAL and takes backups; null means: on the embedded stack only.
    """

    directory: str = ".pgkeel-backup"
    repositories: dict[str, str] = {}
    recipients: tuple[str, ...] = ()
    identity: str | None = None
    window: timedelta = timedelta(days=14)
    minimum: int = 2
    rto: timedelta = timedelta(minutes=30)
    rpo: str = "15s"
    slot: str = "pgkeel_backup"
    slot_limit: str = "10GiB"
    tools: str | None = None
    escrow_keys: bool = True
    image: bool | None = None
    engine: Literal["pgkeel", "barman", "pgbackrest", "wal-g"] = "pgkeel"
    engine_command: str | None = None
    engine_server: str | None = None
    receive: bool | None = None


class RecoverConfig(_Section, frozen=True):
    """How a recovery is proved, and who stops and starts a server that pgkeel does not run.

    Attributes:
        assertions: Name → a query whose first value must be true in a database that was restored.
        stop: Command that stops the application and the old server before `recover --into`; PGDATA is the new data directory.
        start: Command that starts a server on PGDATA afterwards; without it the rest is printed.
    """

    assertions: dict[str, str] = {}
    stop: str | None = None
    start: str | None = None


class Config(_Section, frozen=True):
    """The whole of `pgkeel.toml`."""

    database: DatabaseConfig = DatabaseConfig()
    pool: PoolConfig = PoolConfig()
    local: LocalConfig = LocalConfig()
    schema: SchemaConfig = SchemaConfig()
    migrations: MigrationsConfig = MigrationsConfig()
    monitor: MonitorConfig = MonitorConfig()
    security: SecurityConfig = SecurityConfig()
    agent: AgentConfig = AgentConfig()
    retention: RetentionConfig = RetentionConfig()
    checks: ChecksConfig = ChecksConfig()
    cache: CacheConfig = CacheConfig()
    backup: BackupConfig = BackupConfig()
    recover: RecoverConfig = RecoverConfig()


def leaves() -> Iterator[tuple[str, Any]]:
    """Yield `section.key` and the type of every setting."""
    for section, section_type in get_type_hints(Config).items():
        for key, value_type in get_type_hints(section_type).items():
            yield f"{section}.{key}", value_type
