"""A certificate authority of the stack's own and a server certificate from it, so that `verify-full` works from the first day.

P-256 keys, unencrypted PEM with mode 0600. The authority's key signs and is then left alone in the caller's folder:
the server's account never reads it. Server certificates live 397 days (the CA/Browser Forum's limit) and are renewed in time.

The authority's file may hold several certificates: clients trust all of them, and the one that belongs to the key signs. So an
authority is replaced while no client trusts the wrong one: announced first, switched to later (`security.tls_renewal`).
"""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pgkeel.core import clock
from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole

__all__ = [
    "HOSTS",
    "RENEW_BEFORE",
    "Authority",
    "belongs",
    "ensure_authority",
    "ensure_certificate",
    "key_pem",
    "new_authority",
    "new_certificate",
    "pem",
    "read_authority",
    "read_certificates",
]

HOSTS = ("localhost", "127.0.0.1", "::1")
_PUBLIC = 0o644
_AUTHORITY_LIFE = timedelta(days=3650)
_CERTIFICATE_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
_SKEW = timedelta(minutes=5)
_LONGEST_NAME = 64


class Authority(msgspec.Struct, frozen=True):
    """Who signs the server's certificate.

    Attributes:
        certificate: What clients trust (`sslrootcert`).
        key: Its private key.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_authority(certificate: Path, key: Path) -> Authority:
    """Return the authority in these two files; make a new one where they are missing, apart, or near their end."""
    kept = read_authority(certificate, key)
    if kept is not None:
        return kept
    fresh = new_authority()
    write_whole(key, key_pem(fresh.key))
    write_whole(certificate, pem(fresh.certificate), mode=_PUBLIC)
    return fresh


def ensure_certificate(authority: Authority, certificate: Path, key: Path, hosts: Sequence[str] = HOSTS) -> bool:
    """Return whether a new server certificate was written: the one that is there still serves, or it does not.

    Args:
        authority: Who signs.
        certificate: The certificate's file, readable by everybody.
        key: The key's file, mode 0600 and the caller's; whoever runs the server hands it a copy.
        hosts: Names and addresses of the server, for a new certificate.
    """
    kept = _read_pair(certificate, key)
    if kept is not None and _is_signed_by(kept[0], authority.certificate):
        return False
    new_certificate(authority, certificate, key, hosts)
    return True


def new_certificate(authority: Authority, certificate: Path, key: Path, hosts: Sequence[str] = HOSTS) -> None:
    """Write a new server certificate with a new key, whatever is there."""
    private = ec.generate_private_key(ec.SECP256R1())
    signed = _sign_server(authority, private, hosts)
    write_whole(key, key_pem(private))
    write_whole(certificate, pem(signed), mode=_PUBLIC)


def read_authority(certificate: Path, key: Path) -> Authority | None:
    """Return the authority whose key this is, from a file of one or more certificates; None unless it still serves."""
    kept = _read_pair(certificate, key)
    return None if kept is None else Authority(*kept)


def read_certificates(file: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file; none where it is missing or holds something else.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(_content(file))
    except (FileNotFoundError, ValueError):
        return []


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as err:
        raise ConfigError(f"{file} cannot be read: {err.strerror}", hint="make it a file that you may read") from err


def _read_pair(
    certificate: Path, key: Path, *, lasts: timedelta = RENEW_BEFORE
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Return key and the certificate that belongs to it when it lasts longer than that."""
    signed = read_certificates(certificate)
    try:
        private = load_pem_private_key(_content(key), password=None)
    except (FileNotFoundError, ValueError, TypeError, UnsupportedAlgorithm):  # missing, damaged, encrypted, of no known kind
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    public = private.public_key()
    belonging = [one for one in signed if public == one.public_key() and one.not_valid_after_utc - clock.now() > lasts]
    return (belonging[0], private) if belonging else None


def belongs(authorities: Sequence[x509.Certificate], certificate: Path, key: Path, *, lasts: timedelta = RENEW_BEFORE) -> bool:
    """Return whether the server's certificate lasts so long, is its key's, and was signed by one of the authorities."""
    kept = _read_pair(certificate, key, lasts=lasts)
    return kept is not None and any(_is_signed_by(kept[0], one) for one in authorities)


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError, TypeError: each means no
        return False
    return True


def new_authority() -> Authority:
    """Return an authority with a new key; nothing is written."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("pgkeel authority")
    builder = (
        _builder(name, name, key.public_key(), _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, SHA256()), key)


def _sign_server(authority: Authority, key: ec.EllipticCurvePrivateKey, hosts: Sequence[str]) -> x509.Certificate:
    issuer = authority.certificate
    builder = (
        _builder(_name(hosts[0]), issuer.subject, key.public_key(), _CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    return builder.sign(authority.key, SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    """Return the subject; a name of more than 64 characters (RFC 5280) stands among the SANs alone, which clients compare."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common if len(common) <= _LONGEST_NAME else "pgkeel server")])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as a PEM file."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as an unencrypted PEM file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
