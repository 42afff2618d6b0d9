"""The certificate that a server shows, asked for as PostgreSQL's protocol begins TLS; nothing is trusted and nobody logs in."""

import socket
import ssl
import struct
from datetime import timedelta

from cryptography import x509

from pgkeel.core.errors import Unreachable

__all__ = ["NoTls", "shown_certificate"]

_SSL_REQUEST = struct.pack(">II", 8, 80877103)  # https://www.postgresql.org/docs/current/protocol-message-formats.html


class NoTls(Unreachable):
    """The server does not speak TLS."""

    code = "no_tls"


def shown_certificate(host: str, port: int, *, timeout: timedelta = timedelta(seconds=5)) -> x509.Certificate:
    """Return the certificate that the server shows to everybody.

    Raises:
        NoTls: It refuses TLS.
        Unreachable: It does not answer.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout.total_seconds()) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                raise NoTls(f"{host}:{port} does not speak TLS", hint="`pgkeel security tls init` makes what it needs")
            with context.wrap_socket(plain, server_hostname=host) as shown:
                return x509.load_der_x509_certificate(shown.getpeercert(binary_form=True) or b"")
    except OSError as err:
        raise Unreachable(f"{host}:{port} does not answer: {err}", hint="`pgkeel status` shows what is running") from None
