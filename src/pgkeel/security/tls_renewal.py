"""Certificates as they grow old: what there is, a new one for the server, and a new authority with an overlap.

An authority is replaced in three steps, so that at no time a client trusts the wrong one: `announce` puts the next authority
beside the present one into the file that clients trust; `switch`, once all of them have read it, lets the next one sign; `retire`
takes the old one out of the file. Each step is one rename, and done again it changes nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pgkeel.core import clock
from pgkeel.core.errors import ConfigError, Refused
from pgkeel.core.files import write_whole
from pgkeel.security.tls import (
    HOSTS,
    RENEW_BEFORE,
    Authority,
    ensure_authority,
    ensure_certificate,
    key_pem,
    new_authority,
    new_certificate,
    pem,
    read_authority,
)

__all__ = [
    "Certificate",
    "NotAnnounced",
    "Step",
    "TlsFolder",
    "announce",
    "announced",
    "certificates",
    "describe_certificate",
    "init",
    "keep",
    "missing",
    "renew",
    "retire",
    "switch",
]

Step = Literal["announce", "switch", "retire"]
_PUBLIC = 0o644
_ANNOUNCE_BEFORE = timedelta(days=120)
_SWITCH_BEFORE = timedelta(days=60)


class NotAnnounced(Refused):
    """There is no next authority yet: clients would not trust it."""

    code = "not_announced"


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
    """

    name: str
    not_after: datetime
    sans: tuple[str, ...]
    is_due: bool


def missing(folder: TlsFolder, hosts: Sequence[str] = HOSTS) -> tuple[Path, ...]:
    """Return the certificates that `init` would make because there are none.

    Raises:
        ConfigError: A host is neither a name nor an address.
    """
    for host in hosts:
        _require_host(host)
    return tuple(file for file in (folder.authority, folder.certificate) if not file.is_file())


def init(folder: TlsFolder, hosts: Sequence[str] = HOSTS) -> bool:
    """Make what is missing and return whether there is a new server certificate.

    Raises:
        ConfigError: A host is neither a name nor an address.
    """
    missing(folder, hosts)
    return ensure_certificate(_ensure_authority(folder), folder.certificate, folder.key, hosts)


def keep(folder: TlsFolder) -> bool:
    """Do what time asks for, and return whether there is a new server certificate.

    The next authority is announced 120 days before the present one ends, and signs 60 days before; a certificate near its end is
    replaced.
    """
    present = _ensure_authority(folder)
    left = present.certificate.not_valid_after_utc - clock.now()
    if left <= _ANNOUNCE_BEFORE:
        announce(folder)
    if left <= _SWITCH_BEFORE:
        switch(folder)
        return True
    return init(folder)


def renew(folder: TlsFolder, hosts: Sequence[str] = ()) -> None:
    """Write a new server certificate, for the hosts of the old one unless others are named."""
    names = hosts or next((one.sans for one in certificates(folder) if one.name == "server"), ()) or HOSTS
    for host in names:
        _require_host(host)
    new_certificate(_ensure_authority(folder), folder.certificate, folder.key, names)


def announce(folder: TlsFolder) -> None:
    """Put the next authority beside the present one into the file that clients trust."""
    present = _ensure_authority(folder)
    following = read_authority(folder.authority, folder.next_key)
    if following is not None and following.certificate != present.certificate:
        return
    fresh = new_authority()
    write_whole(folder.next_key, key_pem(fresh.key))
    write_whole(folder.authority, pem(present.certificate, fresh.certificate), mode=_PUBLIC)


def announced(folder: TlsFolder) -> Authority:
    """Return the authority that clients were told of.

    Raises:
        NotAnnounced: There is none.
    """
    following = read_authority(folder.authority, folder.next_key)
    if following is None:
        raise NotAnnounced(hint="run it with `--authority announce` first, and give clients the new file")
    return following


def switch(folder: TlsFolder, hosts: Sequence[str] = ()) -> None:
    """Let the announced authority sign from now on; the server gets a certificate of it.

    Raises:
        NotAnnounced: There is none.
    """
    following = announced(folder)
    names = hosts or next((one.sans for one in certificates(folder) if one.name == "server"), ()) or HOSTS
    write_whole(folder.authority_key, key_pem(following.key))
    folder.next_key.unlink(missing_ok=True)
    ensure_certificate(following, folder.certificate, folder.key, names)


def retire(folder: TlsFolder) -> None:
    """Take all but the authority that signs, and an announced one, out of the file that clients trust."""
    kept = [_ensure_authority(folder)]
    following = read_authority(folder.authority, folder.next_key)
    if following is not None and following.certificate != kept[0].certificate:
        kept.append(following)
    write_whole(folder.authority, pem(*(one.certificate for one in kept)), mode=_PUBLIC)


def certificates(folder: TlsFolder) -> tuple[Certificate, ...]:
    """Return what there is: authorities first, then the server's."""
    return tuple(_found(folder))


def describe_certificate(name: str, certificate: x509.Certificate) -> Certificate:
    """Return what matters of a certificate."""
    ends = certificate.not_valid_after_utc
    return Certificate(name, ends, _hosts(certificate), ends - clock.now() <= RENEW_BEFORE)


def _ensure_authority(folder: TlsFolder) -> Authority:
    return ensure_authority(folder.authority, folder.authority_key)


def _found(folder: TlsFolder) -> Iterator[Certificate]:
    signing = _public_key(folder.authority, folder.authority_key)
    following = _public_key(folder.authority, folder.next_key)
    for certificate in _read(folder.authority):
        public = certificate.public_key()
        name = "authority" if public == signing else "next authority" if public == following else "old authority"
        yield describe_certificate(name, certificate)
    for certificate in _read(folder.certificate):
        yield describe_certificate("server", certificate)


def _public_key(certificate: Path, key: Path) -> ec.EllipticCurvePublicKey | None:
    authority = read_authority(certificate, key)
    return None if authority is None else authority.key.public_key()


def _read(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return []


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def _require_host(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        labels = host.removeprefix("*.").split(".")
        if not host or len(host) > 253 or not all(label.isascii() and label.replace("-", "").isalnum() for label in labels):
            raise ConfigError(f"{host!r} is neither a host name nor an address", hint="--host db.example.com") from None
