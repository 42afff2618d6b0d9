"""Where a project's backups lie and who can open them: the configured repositories and keys, or those that `up` made."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pgkeel.backup import Folder, Programs, Tools, new_identity, open_repository, recipient_of
from pgkeel.backup.addresses import require_apart
from pgkeel.backup.retention import Policy
from pgkeel.core.errors import ConfigError, NotFound
from pgkeel.core.files import write_whole
from pgkeel.core.project import Project
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret
from pgkeel.local import Runtime, choose_account, find_runtime, installed_runtimes

__all__ = [
    "backup_folder",
    "ensure_identity",
    "identity_file",
    "identity_of",
    "kept_keys",
    "policy_of",
    "programs_of",
    "recipients_of",
    "repositories_of",
    "tools_of",
]

KEYS = "keys"
_REPOSITORY, _IDENTITY, _NOTES = "repository", "identity", "repositories"


def backup_folder(project: Project) -> Path:
    """Return the folder that `reset` keeps: received WAL, and on the embedded stack a repository and the identity."""
    return project.root / project.config.backup.directory


def kept_keys(project: Project) -> Path:
    """Return the folder where `reset` leaves the key of encrypted columns: backups hold values that only it opens."""
    return backup_folder(project) / KEYS


def identity_file(project: Project) -> Path:
    """Return where `up` keeps what opens the backups, unless another place is configured."""
    return backup_folder(project) / _IDENTITY


def policy_of(project: Project) -> Policy:
    """Return how long the project's backups stay."""
    return Policy(project.config.backup.window, project.config.backup.minimum)


def repositories_of(project: Project, *names: str) -> tuple[Repository, ...]:
    """Return the project's repositories, the one that is written to first, or only those that are named.

    Raises:
        ConfigError: An address is wrong, one lies in another, or an external database has none.
        NotFound: A name is not configured.
    """
    given = project.config.backup.repositories
    if given:
        found: tuple[Repository, ...] = tuple(
            open_repository(name, given[name], root=project.root, note=_note(project, name)) for name in given
        )
    elif project.is_external:
        raise ConfigError(
            "there is no repository for backups", hint='write repositories = {geo = "s3://BUCKET/PREFIX"} in [backup]'
        )
    else:
        found = (Folder("local", backup_folder(project) / _REPOSITORY, note=_note(project, "local")),)
    require_apart(found)
    known = {repository.name: repository for repository in found}
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFound(f"there is no repository {missing[0]!r}", hint=f"one of {', '.join(known)}")
    return tuple(known[name] for name in names) if names else found


def _note(project: Project, name: str) -> Path:
    return backup_folder(project) / _NOTES / quote(name, safe="")


def identity_of(project: Project) -> Secret | None:
    """Return what opens the backups, or None where it is kept on another machine.

    Raises:
        ConfigError: The reference points to nothing that can be read.
    """
    reference = project.config.backup.identity
    if reference is not None:
        return Secret.from_reference(reference, folder=project.root)
    made = identity_file(project)
    return Secret.from_reference(f"file:{made}") if made.is_file() else None


def recipients_of(project: Project) -> Sequence[str]:
    """Return for whom backups are encrypted.

    Raises:
        ConfigError: Nobody is configured, and `up` has made no identity.
    """
    if project.config.backup.recipients:
        return project.config.backup.recipients
    identity = identity_of(project)
    if identity is None:
        makes = "receive = true and `pgkeel up --yes`, which makes an identity" if project.is_external else "`pgkeel up`"
        raise ConfigError("there is nobody to encrypt backups for", hint=f'write recipients = ["age1…"] in [backup], or {makes}')
    return [recipient_of(identity)]


def ensure_identity(project: Project) -> bool:
    """Make an identity where nothing says for whom to encrypt, and return whether one was made; it never changes afterwards."""
    if project.config.backup.recipients or identity_of(project) is not None:
        return False
    backup_folder(project).mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(identity_file(project), f"{new_identity().reveal()}\n".encode())
    return True


def programs_of(project: Project, major: int) -> Programs:
    """Return the programs for a server of a major: its own, and the newest client that is not older.

    Raises:
        NotFound: The server's major is not on this machine; the hint says how to get it.
        ConfigError: `backup.tools` holds no programs.
    """
    account = choose_account(project.config.local.run_as)
    own = find_runtime(str(major), account=account)
    wanted = project.config.backup.tools
    if wanted is not None:
        newest = find_runtime(str((project.root / wanted).resolve()), account=account)
    else:
        newest = installed_runtimes(account=account)[-1]
    return Programs(client=tools_of(newest if newest.major >= major else own), server=tools_of(own))


def tools_of(runtime: Runtime) -> Tools:
    """Return the programs of a runtime as backups and recoveries run them."""
    return Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)
