"""The embedded PostgreSQL as the stack wants it: where, by whom, with which certificate, roles and database."""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, choose_account, find_runtime
from pgkeel.local.launch import can
from pgkeel.postgres import connect, load
from pgkeel.security import LOGINS, OWNER, SUPERUSER, ensure_passwords, ensure_rights, ensure_roles
from pgkeel.stack.certificates import ensure_tls
from pgkeel.stack.folders import own_folder
from pgkeel.stack.layout import Layout
from pgkeel.stack.memory import Memory, recall, remember
from pgkeel.stack.password import ensure_password, read_password

__all__ = ["ensure_postgres", "remembered_cluster"]

Report = Callable[[str], None]


def ensure_postgres(project: Project, layout: Layout, report: Report) -> Memory:
    """Start PostgreSQL unless it runs, give it roles and the database, and return what the next command needs."""
    account = choose_account(project.config.local.run_as)
    server = _server_folder(layout, account)
    runtime = find_runtime(project.config.local.postgres, account=account)
    cluster = _start(project, layout, server / "postgres", account, runtime, report)
    name = project.config.database.name
    memory = Memory(server, account, runtime, name, cluster.port, cluster.socket, warnings=_warnings(project, account, cluster))
    memory = _with_valkey_of(recall(layout), memory)
    remember(layout, memory)  # now, so that `down` finds the server whatever happens next
    _ensure_database(cluster, layout, name, report)
    return memory


def remembered_cluster(layout: Layout, memory: Memory) -> Cluster:
    """Return the cluster of the last `up`, whatever the configuration says since then."""
    return Cluster.open(
        memory.server / "postgres",
        runtime=memory.runtime,
        account=memory.account,
        superuser_password=read_password(layout.password_file("superuser")),
    )


def _with_valkey_of(before: Memory | None, memory: Memory) -> Memory:
    if before is None:
        return memory
    return replace(memory, valkey_port=before.valkey_port, valkey_version=before.valkey_version)


def _server_folder(layout: Layout, account: Account) -> Path:
    """Return the folder of the servers, made where it is missing: the remembered one, else where the account gets to."""
    memory = recall(layout)
    if memory is not None:
        folder = memory.server
    elif account.is_current or can(account, "-x", layout.state):
        folder = layout.server
    else:
        folder = layout.server_elsewhere
    own_folder(folder, 0o711)
    return folder


def _start(project: Project, layout: Layout, directory: Path, account: Account, runtime: Runtime, report: Report) -> Cluster:
    tls, is_renewed = ensure_tls(layout)
    cluster = Cluster.create(
        directory,
        runtime=runtime,
        account=account,
        superuser_password=_superuser_password(layout, directory),
        name=project.root.name,
        port=project.config.local.port,
        settings=_settings(project),
        tls=tls,
    )
    if cluster.is_running and is_renewed:
        cluster.reload()
    if not cluster.is_running:
        report(f"starting PostgreSQL {runtime.version}")
        cluster.start()
    return cluster


def _settings(project: Project) -> dict[str, str]:
    milliseconds = round(project.config.monitor.slow_query.total_seconds() * 1000)
    return {"log_min_duration_statement": f"{milliseconds}ms"}


def _superuser_password(layout: Layout, directory: Path) -> Secret:
    """Return the password that initdb gave or will give; one that is lost cannot be made anew from outside."""
    file = layout.password_file("superuser")
    if Cluster.exists(directory) and not file.is_file():
        raise ConfigError(f"the password file {file} is gone, but its data is here", hint="restore that file, or `pgkeel reset`")
    return ensure_password(file, SUPERUSER)


def _ensure_database(cluster: Cluster, layout: Layout, name: str, report: Report) -> None:
    passwords = {login: ensure_password(layout.password_file(word), login) for word, login in LOGINS.items()}
    with connect(cluster.superuser_url(), application="pgkeel up") as superuser:
        ensure_roles(superuser)
        if load(__name__, "database").row(superuser, name=name) is None:
            report(f"creating the database {name}")
            cluster.create_database(name, owner=OWNER)
        ensure_passwords(superuser, passwords)
    with connect(cluster.superuser_url(name), application="pgkeel up") as superuser:
        ensure_rights(superuser)


def _warnings(project: Project, account: Account, cluster: Cluster) -> tuple[str, ...]:
    wanted = project.config.local.port
    moved = f"local.port is {wanted}, but the server runs on {cluster.port}: `pgkeel down && pgkeel up` moves it"
    return tuple(text for text in (account.warning, moved if wanted not in {0, cluster.port} else "") if text)
