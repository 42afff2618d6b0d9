"""Certificates of the stack, or of a server elsewhere: what there is, and their renewal while connections stay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.security import tls_renewal
from pgkeel.security.tls import HOSTS
from pgkeel.security.tls_probe import shown_certificate
from pgkeel.security.tls_renewal import Certificate, Step, TlsFolder, certificates, describe_certificate
from pgkeel.stack.certificates import tls_folder
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import recall
from pgkeel.stack.postgres import ensure_postgres, remembered_cluster

__all__ = ["folder_for", "init_tls", "keep_tls", "renew_tls", "tls_status"]


def folder_for(project: Project, directory: Path | None) -> TlsFolder:
    """Return the folder of certificates: the stack's own, or a directory for a server that pgkeel does not run.

    Raises:
        UsageError: The database is external and no directory was named.
    """
    if directory is not None:
        return TlsFolder(directory / "authority.crt", directory)
    if project.is_external:
        raise UsageError("pgkeel does not keep the certificates of this server", hint="name a directory to make them in")
    return tls_folder(layout_of(project))


def tls_status(project: Project, directory: Path | None = None) -> tuple[Certificate, ...]:
    """Return the certificates that there are; of an external server the one that it shows.

    Raises:
        Unreachable: The external server does not answer, or does not speak TLS.
    """
    if project.is_external and directory is None:
        url = project.external_url()
        if url.host.startswith("/"):
            raise UsageError(f"{url} is a socket, which needs no certificate", hint="name a directory")
        return (describe_certificate("server", shown_certificate(url.host or "localhost", url.port or 5432)),)
    return certificates(folder_for(project, directory))


def init_tls(project: Project, directory: Path | None, hosts: Sequence[str]) -> TlsFolder:
    """Make authority and server certificate where they are missing; on the stack `up` has done so already."""
    folder = folder_for(project, directory)
    with _writing(folder):
        folder.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        tls_renewal.init(folder, hosts or HOSTS)
    return folder


def renew_tls(project: Project, directory: Path | None, *, step: Step | None, hosts: Sequence[str], report: Report) -> None:
    """Renew the server's certificate, or take one step of replacing the authority; a running stack reads it at once.

    Open connections stay: the server reads the files again, and new connections get the new certificate.

    Raises:
        NotAnnounced: The step is `switch`, and nothing was announced.
        UsageError: There is nothing to renew.
    """
    folder = folder_for(project, directory)
    if not folder.authority.is_file():
        hint = "`pgkeel up` makes one" if directory is None else f"`pgkeel security tls init {directory}` makes one"
        raise UsageError(f"there is no authority in {folder.authority.parent}", hint=hint)
    if directory is not None:
        with _writing(folder):
            _renew(folder, step, hosts)
        return
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        _renew(folder, step, hosts)
        _reload(project, layout, report)


def keep_tls(project: Project, report: Report) -> bool:
    """Do what time asks for, as `up` does, and return whether something was renewed; a running server reads it at once."""
    layout = layout_of(project)
    folder = tls_folder(layout)
    with explained(layout.state), exclusive(layout, report):
        before = _content(folder)
        tls_renewal.keep(folder)
        if _content(folder) == before:
            return False
        _reload(project, layout, report)
    return True


@contextmanager
def _writing(folder: TlsFolder) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        message = f"cannot write {err.filename or folder.secrets}: {err.strerror}"
        raise UsageError(message, hint="name a folder that you may write") from err


def _content(folder: TlsFolder) -> list[bytes]:
    return [file.read_bytes() for file in (folder.authority, folder.certificate) if file.is_file()]


def _reload(project: Project, layout: Layout, report: Report) -> None:
    """Let a running server read what there is now."""
    memory = recall(layout)
    cluster = remembered_cluster(layout, memory) if memory else None
    if cluster is not None and cluster.is_running:
        ensure_postgres(project, layout, report)


def _renew(folder: TlsFolder, step: Step | None, hosts: Sequence[str]) -> None:
    match step:
        case "announce":
            tls_renewal.announce(folder)
        case "switch":
            tls_renewal.switch(folder, hosts)
        case "retire":
            tls_renewal.retire(folder)
        case None:
            tls_renewal.renew(folder, hosts)
