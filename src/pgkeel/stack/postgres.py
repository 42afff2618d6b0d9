"""The embedded PostgreSQL as the stack wants it: where, by whom, with which certificate, roles and database."""

from pathlib import Path

from msgspec.structs import replace

from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report
from pgkeel.core.units import Size
from pgkeel.local import Account, Cluster, Runtime, TlsFiles, choose_account, find_runtime
from pgkeel.local.launch import can
from pgkeel.postgres import connect, load
from pgkeel.security import LOGINS, OWNER, SUPERUSER, ensure_passwords, ensure_rights, ensure_roles
from pgkeel.stack.certificates import ensure_tls, is_stale
from pgkeel.stack.declared import declaration_of
from pgkeel.stack.folders import own_folder
from pgkeel.stack.layout import Layout
from pgkeel.stack.memory import Memory, recall, remember
from pgkeel.stack.password import ensure_password, login_in, read_password
from pgkeel.stack.protection import lift_synchrony
from pgkeel.stack.rotation import settle_passwords

__all__ = ["ensure_database", "ensure_postgres", "place_of_servers", "remembered_cluster", "server_folder"]


_LOCAL = {"synchronous_commit": "local"}  # with `rpo = "zero"` the agent, which `up` starts last, brings who is waited for


def ensure_postgres(project: Project, layout: Layout, report: Report) -> Memory:
    """Start PostgreSQL unless it runs, give it roles and the database, and return what the next command needs."""
    account = choose_account(project.config.local.run_as)
    server = server_folder(layout, account)
    runtime = find_runtime(project.config.local.postgres, account=account)
    tls = ensure_tls(layout)
    cluster = _make(project, layout, server / "postgres", account, runtime, tls)
    memory = _remembered(project, layout, server, cluster)  # now, so that `down` finds a server whose `up` was killed
    if not cluster.is_running:
        report(f"starting PostgreSQL {runtime.version}")
        cluster.start()
        _remembered(project, layout, server, cluster)
        lift_synchrony(project)
    elif is_stale(tls, server / "postgres" / "conf"):
        cluster.reload()
    memory = _remembered(project, layout, server, cluster)
    ensure_database(project, cluster, layout, report)
    return memory


def remembered_cluster(layout: Layout, memory: Memory) -> Cluster | None:
    """Return the cluster of the last `up`, whatever the configuration says since then; None when it was never complete."""
    directory = memory.server / "postgres"
    if not Cluster.exists(directory):
        return None
    password = read_password(layout.password_file("superuser"))
    return Cluster.open(directory, runtime=memory.runtime, account=memory.account, superuser_password=password)


def _remembered(project: Project, layout: Layout, server: Path, cluster: Cluster) -> Memory:
    plan = cluster.plan
    fresh = Memory(server, plan.account, plan.runtime, project.config.database.name, cluster.port, cluster.socket)
    before = recall(layout) or fresh
    memory = replace(
        fresh,
        valkey_port=before.valkey_port,
        valkey_version=before.valkey_version,
        valkey_program=before.valkey_program,
        warnings=_warnings(project, cluster),
    )
    remember(layout, memory)
    return memory


def server_folder(layout: Layout, account: Account) -> Path:
    """Return the folder of the servers, made where it is missing."""
    folder = place_of_servers(layout, account)
    own_folder(folder)
    return folder


def place_of_servers(layout: Layout, account: Account) -> Path:
    """Return where the servers' folder is or would be: the remembered one, else where the account gets to; nothing is made."""
    memory = recall(layout)
    if memory is not None:
        return memory.server
    if account.is_current or can(account, "-x", layout.state):
        return layout.server
    return layout.server_elsewhere


def _make(project: Project, layout: Layout, directory: Path, account: Account, runtime: Runtime, tls: TlsFiles) -> Cluster:
    return Cluster.create(
        directory,
        runtime=runtime,
        account=account,
        superuser_password=_superuser_password(layout, directory),
        name=project.root.name,
        port=project.config.local.port,
        settings=_settings(project),
        tls=tls,
    )


def _settings(project: Project) -> dict[str, str]:
    milliseconds = round(project.config.monitor.slow_query.total_seconds() * 1000)
    kept = Size.parse(project.config.backup.slot_limit) // 2**20
    followed = {"wal_level": "logical"} if project.config.cache.publication else {}
    return {"log_min_duration_statement": f"{milliseconds}ms", "max_slot_wal_keep_size": f"{kept}MB", **followed}


def _superuser_password(layout: Layout, directory: Path) -> Secret:
    """Return the password that initdb gave or will give; one that is lost cannot be made anew from outside."""
    file = layout.password_file("superuser")
    if Cluster.exists(directory) and not file.is_file():
        raise ConfigError(f"the password file {file} is gone, but its data is here", hint="restore that file, or `pgkeel reset`")
    return ensure_password(file, SUPERUSER)


def ensure_database(project: Project, cluster: Cluster, layout: Layout, report: Report) -> None:
    """Give a running server our roles with the passwords of the password files, the database, and the declared rights."""
    name, declaration = project.config.database.name, declaration_of(project)
    words = {**LOGINS, "superuser": SUPERUSER}  # a recovered server has the superuser's password of that day
    files = {word: layout.password_file(word) for word in words}
    passwords = {login_in(files[word], login): ensure_password(files[word], login) for word, login in words.items()}
    with connect(cluster.superuser_url(), application="pgkeel up", settings=_LOCAL) as superuser:
        ensure_roles(superuser, declaration)
        if load(__name__, "database").row(superuser, name=name) is None:
            report(f"creating the database {name}")
            cluster.ensure_database(name, owner=OWNER)
        ensure_passwords(superuser, passwords)
        settle_passwords(superuser, layout)
    with connect(cluster.superuser_url(name), application="pgkeel up", settings=_LOCAL) as superuser:
        ensure_rights(superuser, declaration)


def _warnings(project: Project, cluster: Cluster) -> tuple[str, ...]:
    wanted, port = project.config.local.port, cluster.port
    moved = f"local.port is {wanted}, but the server runs on {port}: `pgkeel down && pgkeel up` moves it"
    return tuple(text for text in (cluster.plan.account.warning, moved if wanted and port and wanted != port else "") if text)
