"""Bytes on the wire as they are, or in TLS, for a connection that threads share."""

import socket
import ssl

from pgkeel.cache.wire import tls_context
from pgkeel.core.cache_url import CacheUrl

__all__ = ["Plain", "Tls"]

_CHUNK = 65536


class Plain:
    """Bytes as they are."""

    def wrap(self, clear: bytes) -> bytes:
        """Return what goes over the wire."""
        return clear

    def unwrap(self, received: bytes) -> bytes:
        """Return what came over it."""
        return received


class Tls:
    """TLS in memory: a thread may send while another receives, which a TLS socket does not allow."""

    def __init__(self, url: CacheUrl) -> None:
        """Verify the server's certificate and name."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls_context(url.authority).wrap_bio(self._incoming, self._outgoing, server_hostname=url.host)

    def shake_hands(self, door: socket.socket) -> None:
        """Agree on keys."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                door.sendall(self._outgoing.read())
                received = door.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError from None
                self._incoming.write(received)
            else:
                return door.sendall(self._outgoing.read())

    def wrap(self, clear: bytes) -> bytes:
        """Return what goes over the wire."""
        self._tls.write(clear)
        return self._outgoing.read()

    def unwrap(self, received: bytes) -> bytes:
        """Return what came over it."""
        self._incoming.write(received)
        parts: list[bytes] = []
        try:
            while part := self._tls.read(_CHUNK):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)
