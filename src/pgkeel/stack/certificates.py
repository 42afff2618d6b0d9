"""Where the stack keeps what `security.tls` makes: all of it with the caller; the server gets copies of what it may read."""

from pgkeel.local import TlsFiles
from pgkeel.security.tls import ensure_authority, ensure_certificate
from pgkeel.stack.layout import Layout

__all__ = ["ensure_tls"]


def ensure_tls(layout: Layout) -> tuple[TlsFiles, bool]:
    """Return the server's certificate and whether it is a new one, made or renewed because that was due."""
    files = TlsFiles(certificate=layout.secrets / "server.crt", key=layout.secrets / "server.key", authority=layout.authority)
    authority = ensure_authority(files.authority, layout.secrets / "authority.key")
    return files, ensure_certificate(authority, files.certificate, files.key)
