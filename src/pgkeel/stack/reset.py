"""`reset`: delete what carries our marker and nothing else; what a kill in the middle leaves, `up` and `reset` accept."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from pgkeel.core.files import write_whole
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report
from pgkeel.local import Cluster
from pgkeel.local.folders import make_folder
from pgkeel.stack.down import stop_everything
from pgkeel.stack.folders import NotOurs, delete_folder, explained, is_ours, leaving
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import recall
from pgkeel.stack.valkey import remembered_valkey
from pgkeel.stack.vault import KEYS, backup_folder, kept_keys

__all__ = ["plan_reset", "reset"]

_KEPT = ("repository", "repositories", "wal", KEYS, "identity")  # what a backup needs: the identity goes last


def plan_reset(project: Project, *, with_backups: bool = False) -> tuple[Path, ...]:
    """Return the folders that `reset` would delete, the servers' first, those of a killed `reset` included.

    Args:
        project: Whose.
        with_backups: Whether the backups go that lie beside the stack, with the identity that opens them; others never do.

    Raises:
        NotOurs: The state folder is a link, or does not carry our marker.
    """
    layout = layout_of(project)
    state = layout.state
    if (state.exists() or state.is_symlink()) and not is_ours(state):
        raise NotOurs(f"{state} does not carry pgkeel's marker", hint="remove it yourself if it is not needed")
    server = _server_folder(layout)
    bases = (state,) if server.is_relative_to(state) else (server, state)
    found = tuple(folder for base in bases for folder in (leaving(base), base) if is_ours(folder))
    return (*found, *(_backups(project) if with_backups else ()))


def reset(project: Project, *, report: Report, with_backups: bool = False) -> tuple[Path, ...]:
    """Stop the stack, delete its folders, and return them; no link is followed, and backups and keys stay unless `with_backups`.

    Raises:
        NotOurs: As for `plan_reset`; nothing was changed.
    """
    if not plan_reset(project, with_backups=with_backups):
        return ()
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        folders = plan_reset(project, with_backups=with_backups)
        stop_everything(layout, report)
        if not with_backups:
            _keep_key(project, layout)
        _end_copies(layout)
        _forget(layout)
        for folder in folders:
            report(f"deleting {folder}")
            if folder in _backups(project):
                shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
            else:
                delete_folder(folder)
    return folders


def _keep_key(project: Project, layout: Layout) -> None:
    folder, file = backup_folder(project), layout.field_key
    if file.is_file() and not file.is_symlink() and folder.is_dir() and not folder.is_symlink():
        content = file.read_bytes()
        write_whole(make_folder(kept_keys(project)) / f"{hashlib.sha256(content).hexdigest()[:16]}.key", content)


def _backups(project: Project) -> tuple[Path, ...]:
    folder = project.root / project.config.backup.directory
    if folder.is_symlink():
        return ()
    found = (folder / name for name in _KEPT)
    return tuple(path for path in found if path.exists() and not path.is_symlink())


def _server_folder(layout: Layout) -> Path:
    memory = recall(layout)
    return memory.server if memory else layout.server_elsewhere


def _end_copies(layout: Layout) -> None:
    """End the servers that a recovery or a look at the past left beside the real one."""
    memory = recall(layout)
    if memory is None or not memory.server.is_dir():
        return
    for folder in memory.server.iterdir():
        if folder.name != "postgres" and Cluster.exists(folder):
            password = Secret.generate()  # nobody logs in
            Cluster.open(folder, runtime=memory.runtime, account=memory.account, superuser_password=password).destroy()


def _forget(layout: Layout) -> None:
    memory = recall(layout)
    if memory is not None:
        valkey = remembered_valkey(layout, memory)
        for socket in (memory.socket, *((valkey.socket,) if valkey else ())):
            with suppress(OSError):  # rmdir follows no link and removes nothing that still holds something
                socket.rmdir()
    layout.memory.unlink(missing_ok=True)
