"""What certificates there are, and what is wrong with them: their end, their keys, and who may read those."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from pgkeel.core import clock
from pgkeel.security.tls import RENEW_BEFORE, belongs, read_authority, read_certificates

__all__ = ["Certificate", "TlsFolder", "certificates", "describe_certificate"]

_OTHERS = 0o007


class TlsFolder(msgspec.Struct, frozen=True):
    """Where one server's TLS lies.

    Attributes:
        authority: What clients trust (`sslrootcert`): one certificate, or two while an authority is being replaced.
        secrets: Folder of `authority.key`, `next-authority.key`, `server.key` and `server.crt`, closed to others.
    """

    authority: Path
    secrets: Path

    @property
    def authority_key(self) -> Path:
        """The key that signs."""
        return self.secrets / "authority.key"

    @property
    def next_key(self) -> Path:
        """The key of the announced authority; missing while none is."""
        return self.secrets / "next-authority.key"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.secrets / "server.crt"

    @property
    def key(self) -> Path:
        """The server's key."""
        return self.secrets / "server.key"


class Certificate(msgspec.Struct, frozen=True):
    """One certificate.

    Attributes:
        name: `authority`, `next authority`, `old authority` or `server`.
        not_after: When it ends (UTC).
        sans: The hosts that it names.
        is_due: Whether it ends within 30 days, or has.
        problem: What else is wrong with it or its key; "" is nothing.
    """

    name: str
    not_after: datetime
    sans: tuple[str, ...]
    is_due: bool
    problem: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be done about it; an authority that is on its way out may end."""
        return not self.problem and not (self.is_due and self.name != "old authority")


def certificates(folder: TlsFolder) -> tuple[Certificate, ...]:
    """Return what there is: authorities first, then the server's."""
    return tuple(_found(folder))


def describe_certificate(name: str, certificate: x509.Certificate) -> Certificate:
    """Return what matters of a certificate."""
    ends = certificate.not_valid_after_utc
    return Certificate(name, ends, _hosts(certificate), ends - clock.now() <= RENEW_BEFORE)


def _found(folder: TlsFolder) -> Iterator[Certificate]:
    authorities = read_certificates(folder.authority)
    signing = _public_key(folder.authority, folder.authority_key)
    following = _public_key(folder.authority, folder.next_key)
    for certificate in authorities:
        public = certificate.public_key()
        is_present = public == signing or (signing is None and public != following)
        name = "authority" if is_present else "next authority" if public == following else "old authority"
        key = folder.authority_key if is_present else folder.next_key
        yield replace(describe_certificate(name, certificate), problem=_problem(certificate, key))
    for certificate in read_certificates(folder.certificate)[:1]:
        problem = _problem(certificate, folder.key) or _problem_of_server(folder, certificate, authorities)
        yield replace(describe_certificate("server", certificate), problem=problem)


def _problem(certificate: x509.Certificate, key: Path) -> str:
    if certificate.not_valid_before_utc > clock.now():
        return f"it begins on {certificate.not_valid_before_utc:%Y-%m-%d}: this machine's clock is wrong, or was"
    if key.is_file() and key.stat().st_mode & _OTHERS:
        return f"others may read its key: chmod 600 {key}"
    return ""


def _problem_of_server(folder: TlsFolder, certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> str:
    if not authorities:
        return f"there is no authority in {folder.authority} that clients could trust"
    is_due = certificate.not_valid_after_utc - clock.now() <= RENEW_BEFORE
    if is_due or belongs(authorities, folder.certificate, folder.key):
        return ""
    return f"{folder.key} is not its key, or no authority in {folder.authority} signed it: renew it"


def _public_key(certificate: Path, key: Path) -> ec.EllipticCurvePublicKey | None:
    authority = read_authority(certificate, key)
    return None if authority is None else authority.key.public_key()


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )
