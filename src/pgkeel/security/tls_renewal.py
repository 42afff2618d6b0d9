"""Certificates as they grow old: what there is, a new one for the server, and a new authority with an overlap.

An authority is replaced in three steps, so that at no time a client trusts the wrong one: `announce` puts the next authority
beside the present one into the file that clients trust; `switch`, once all of them have read it, lets the next one sign; `retire`
takes the old one out of the file. Each step is one rename, and done again it changes nothing.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509

from pgkeel.core import clock
from pgkeel.core.errors import ConfigError, Refused
from pgkeel.core.files import write_whole
from pgkeel.security.tls import (
    HOSTS,
    RENEW_BEFORE,
    Authority,
    belongs,
    ensure_authority,
    ensure_certificate,
    key_pem,
    new_authority,
    new_certificate,
    pem,
    read_authority,
    read_certificates,
)
from pgkeel.security.tls_found import Certificate, TlsFolder, certificates, describe_certificate

__all__ = [
    "Certificate",
    "NoAuthorityKey",
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
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ANNOUNCE_BEFORE = timedelta(days=120)
_SWITCH_BEFORE = timedelta(days=60)


class NotAnnounced(Refused):
    """There is no next authority yet: clients would not trust it."""

    code = "not_announced"


class NoAuthorityKey(Refused):
    """The authority's certificate is there, and the key that signs is not."""

    code = "no_authority_key"


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
    if _rests(folder):
        return False
    return ensure_certificate(_ensure_authority(folder), folder.certificate, folder.key, hosts)


def keep(folder: TlsFolder) -> bool:
    """Do what time asks for, and return whether there is a new server certificate.

    The next authority is announced 120 days before the present one ends, and signs 60 days before; a certificate near its end is
    replaced. Where the authority's key was put away, all stays until a certificate ends: only then a new authority is no loss.
    """
    if _rests(folder, lasts=timedelta(0)):
        return False
    if _signing(folder) is None:
        ensure_authority(folder.authority, folder.authority_key)
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


def _ensure_authority(folder: TlsFolder) -> Authority:
    """Return who signs; where its time is over, the one that clients were told of, and a new one only where there is none.

    Raises:
        NoAuthorityKey: The key of an authority that clients trust is missing, encrypted, or of another kind.
    """
    signing = _signing(folder)
    if signing is None and _lasting(folder):
        raise NoAuthorityKey(
            f"{folder.authority_key} is not the key of the authority in {folder.authority}, and no client trusts a new one",
            hint=f"put its key (P-256, not encrypted) there; or remove {folder.authority}, and give all clients the new one",
        )
    return signing or ensure_authority(folder.authority, folder.authority_key)


def _rests(folder: TlsFolder, *, lasts: timedelta = RENEW_BEFORE) -> bool:
    """Return whether the authority's key was put away and nothing needs it: the server's certificate serves so long."""
    signing = _signing(folder)
    return signing is None and belongs(_lasting(folder, lasts), folder.certificate, folder.key, lasts=lasts)


def _signing(folder: TlsFolder) -> Authority | None:
    present = read_authority(folder.authority, folder.authority_key)
    following = read_authority(folder.authority, folder.next_key)
    if present is None and following is not None:
        write_whole(folder.authority_key, key_pem(following.key))
        folder.next_key.unlink(missing_ok=True)
    return present or following


def _lasting(folder: TlsFolder, lasts: timedelta = RENEW_BEFORE) -> list[x509.Certificate]:
    """Return the authorities that clients trust for longer than that: than the renewal takes."""
    return [one for one in read_certificates(folder.authority) if one.not_valid_after_utc - clock.now() > lasts]


def _require_host(host: str) -> None:
    try:
        is_host = not getattr(ip_address(host), "scope_id", None)  # a certificate cannot name the interface of `fe80::1%eth0`
    except ValueError:
        is_host = len(host) <= 253 and all(map(_LABEL.fullmatch, host.removeprefix("*.").split(".")))
    if not is_host:
        raise ConfigError(f"{host!r} is neither a host name nor an address", hint="--host db.example.com")
