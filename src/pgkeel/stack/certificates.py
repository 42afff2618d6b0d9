"""Where the stack keeps what `security.tls` makes: all of it with the caller; the server gets copies of what it may read."""

from pathlib import Path

from pgkeel.local import TlsFiles
from pgkeel.security.tls_renewal import TlsFolder, keep
from pgkeel.stack.layout import Layout

__all__ = ["ensure_tls", "is_stale", "tls_folder"]


def tls_folder(layout: Layout) -> TlsFolder:
    """Return where the stack's certificates and keys lie."""
    return TlsFolder(layout.authority, layout.secrets)


def ensure_tls(layout: Layout) -> TlsFiles:
    """Return the server's certificate, made or renewed where that is due."""
    folder = tls_folder(layout)
    keep(folder)
    return TlsFiles(certificate=folder.certificate, key=folder.key, authority=folder.authority)


def is_stale(tls: TlsFiles, server: Path) -> bool:
    """Return whether a server's copies, in its folder of configuration, are not the files that there are now."""
    pairs = ((tls.certificate, server / "server.crt"), (tls.authority, server / "authority.crt"))
    return any(not copy.is_file() or copy.read_bytes() != file.read_bytes() for file, copy in pairs)
