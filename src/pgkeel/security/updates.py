"""What is installed beside what was newest: servers, the OpenSSL that they carry inside, and the wheels in front of them.

Scanners of Python packages see none of the C code that wheels bundle, so the version is read where it is loaded.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Literal

import msgspec

from pgkeel.security.releases import KNOWN_ON, NEWEST, STALE_AFTER, newest_openssl, newest_postgres

__all__ = ["Component", "Judged", "Updates", "judge_updates", "openssl_in"]

Kind = Literal["postgres", "openssl", "wheel", "other"]
_OPENSSL = re.compile(rb"OpenSSL (\d+\.\d+\.\d+)[a-z]* +\d{1,2} [A-Z][a-z]{2} \d{4}")


class Component(msgspec.Struct, frozen=True):
    """Something installed.

    Attributes:
        name: As a person calls it.
        kind: Which table it is compared with.
        version: As it says itself; None when that cannot be told.
        is_distributions: Whether the distribution keeps it: it is patched there without a new number.
    """

    name: str
    kind: Kind
    version: str | None
    is_distributions: bool = False


class Judged(msgspec.Struct, frozen=True):
    """A component and what is to be done about it."""

    component: str
    found: str | None
    newest: str | None
    state: Literal["current", "outdated", "unknown"]
    fix: str = ""


class Updates(msgspec.Struct, frozen=True):
    """All components, and how old the table is that they were compared with.

    Attributes:
        components: One row a component.
        known_on: The table's date.
        is_stale: Whether it is older than 100 days: then "current" proves little.
    """

    components: tuple[Judged, ...]
    known_on: date
    is_stale: bool

    @property
    def is_fine(self) -> bool:
        """Whether nothing is outdated, by a table that is not."""
        return not self.is_stale and all(one.state != "outdated" for one in self.components)


def judge_updates(components: Iterable[Component], today: date) -> Updates:
    """Return what is current, what is outdated, and what cannot be told."""
    return Updates(tuple(map(_judged, components)), KNOWN_ON, today - KNOWN_ON > STALE_AFTER)


def openssl_in(library: bytes) -> str | None:
    """Return the OpenSSL release that a `libcrypto` says it is, as `3.5.9`."""
    match = _OPENSSL.search(library)
    return match[1].decode() if match else None


def _judged(one: Component) -> Judged:
    if one.version is None:
        return Judged(one.name, None, None, "unknown", "it does not tell its version")
    if one.is_distributions:
        return Judged(one.name, one.version, None, "unknown", "the distribution patches it: apply its security updates")
    newest = _NEWEST[one.kind](one)
    if newest is None:
        return Judged(one.name, one.version, None, "unknown", "not in this release's table")
    if _numbers(one.version) >= _numbers(newest):
        return Judged(one.name, one.version, newest, "current")
    return Judged(one.name, one.version, newest, "outdated", _FIX[one.kind].format(name=one.name, newest=newest))


def _newest_of_server(one: Component) -> str | None:
    return newest_postgres(int((one.version or "0").partition(".")[0]))


_NEWEST: dict[Kind, Callable[[Component], str | None]] = {
    "postgres": _newest_of_server,
    "openssl": lambda one: newest_openssl(one.version or ""),
    "wheel": lambda one: NEWEST.get(one.name),
    "other": lambda _: None,
}
_FIX: dict[Kind, str] = {
    "postgres": "`pgkeel security updates --apply` on the embedded stack; elsewhere install {newest} and restart",
    "openssl": "update the package that carries it",
    "wheel": 'pip install --upgrade "{name}>={newest}"',
    "other": "",
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
