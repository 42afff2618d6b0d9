"""Where the stack keeps what `security.tls` makes: the authority's key with the caller, the rest with the server."""

from pathlib import Path

from pgkeel.local import Account, TlsFiles
from pgkeel.security.tls import ensure_authority, ensure_certificate
from pgkeel.stack.layout import Layout

__all__ = ["ensure_tls"]


def ensure_tls(layout: Layout, server: Path, account: Account) -> TlsFiles:
    """Return the server's certificate, made or renewed where that is due.

    The folder is the caller's, so that the account cannot replace what clients trust; it may only read its own key.
    """
    folder = server / "tls"
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    files = TlsFiles(certificate=folder / "server.crt", key=folder / "server.key", authority=folder / "authority.crt")
    authority = ensure_authority(files.authority, layout.secrets / "authority.key")
    owner = None if account.is_current else (account.uid, account.gid)
    ensure_certificate(authority, files.certificate, files.key, owner=owner)
    return files
