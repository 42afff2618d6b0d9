"""`up`: every step is safe to repeat, so a killed `up` is finished by the next one and a second `up` changes nothing."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, choose_account, find_runtime
from pgkeel.local.launch import can
from pgkeel.postgres import connect, load
from pgkeel.security import LOGINS, OWNER, SUPERUSER, ensure_passwords, ensure_rights, ensure_roles
from pgkeel.stack.agent import ensure_agent
from pgkeel.stack.certificates import ensure_tls
from pgkeel.stack.external import up_external
from pgkeel.stack.folders import explained, own_folder, prepare
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import Memory, recall, remember
from pgkeel.stack.migrate import apply_migrations
from pgkeel.stack.password import ensure_password
from pgkeel.stack.status import Status, status
from pgkeel.stack.valkey import ensure_valkey

__all__ = ["up"]

Report = Callable[[str], None]


def up(project: Project, *, yes: bool = False, report: Report) -> Status:
    """Start what does not run, make what is missing, apply what is pending, and return what runs then.

    Args:
        project: Whose stack.
        yes: Whether an external database may be written to.
        report: Hears each step, in words.

    Raises:
        UsageError: The machine or the configuration does not allow it.
        Refused: An external database may not be written, or holds tables that are not ours.
        DiskFull: The disk is full; what is there is finished by the next `up`.
    """
    if project.is_external:
        return up_external(project, yes=yes, report=report)
    layout = layout_of(project)
    with explained(layout.state):
        prepare(layout)
        with exclusive(layout.lock, report):
            return _bring_up(project, layout, report)


def _bring_up(project: Project, layout: Layout, report: Report) -> Status:
    account = choose_account(project.config.local.run_as)
    server = _server_folder(layout, account)
    superuser_password = ensure_password(layout.password_file("superuser"), SUPERUSER)
    cluster = _start_postgres(project, layout, server, account, superuser_password, report)
    _remember_postgres(project, layout, server, account, cluster)
    _prepare_database(project, layout, cluster.superuser_url(), report)
    ensure_valkey(project, layout, account, report)
    apply_migrations(project, report)
    ensure_agent(project, layout, report)
    return status(project)


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
