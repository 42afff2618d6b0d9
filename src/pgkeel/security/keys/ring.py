"""The keys of a database in memory, and the ciphers of its columns: AES-256-GCM bound to the row, HMAC-SHA256 to find.

Each key of the ring is a secret from which every column's own keys are derived (HMAC-SHA256 as PRF), so the limit of 2^32 values
under random nonces (NIST SP 800-38D) holds for a column, not for the database.
"""

import hmac
import os
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pgkeel.core.cipher import ERASED, OVERHEAD, CannotOpen, Erased, UnknownKey, header_of
from pgkeel.core.errors import ConfigError
from pgkeel.postgres import Connection
from pgkeel.security.keys.key import WrappedKey, context_of
from pgkeel.security.keys.provider import KeyProvider, WrongProvider
from pgkeel.security.keys.subjects import SUBJECTS, SubjectKeys

__all__ = ["Field", "KeyRing"]

_BEFORE = b"pgkeel\x01"
_READ_AGAIN = "the ring is loaded again from time to time; a destroyed key never comes back"


class KeyRing:
    """The keys of one database; `take` brings what its table holds."""

    def __init__(self, provider: KeyProvider) -> None:
        """Start without keys."""
        self._provider = provider
        self._fields: dict[tuple[str, str, bool], Field] = {}
        self.subjects: SubjectKeys | None = None
        self._secrets: dict[int, bytes] = {}
        self._states: dict[int, str] = {}
        self._lock = threading.Lock()

    def take(self, keys: Iterable[WrappedKey]) -> None:
        """Know these keys and no others; the columns' ciphers follow.

        Raises:
            WrongProvider: The provider did not wrap one of them.
        """
        living = [key for key in keys if key.wrapped is not None]
        secrets = {key.id: self._secrets.get(key.id) or self._unwrapped(key) for key in living}
        with self._lock:
            self._secrets, self._states = secrets, {key.id: key.state for key in living}
            for field in self._fields.values():
                field.refresh(self._secrets, self._states)

    def field(self, table: str, column: str, /, *, by_subject: bool = False) -> "Field":
        """Return the cipher of a column; the same object every time, and the same whether `public` is named."""
        table = table.removeprefix("public.")
        return self._fields.get((table, column, by_subject)) or self._new_field(table, column, by_subject=by_subject)

    def with_subjects(self, connect: Callable[[], Connection]) -> Self:
        """Open and seal by persons' keys, too, which a connection of its own reads and adds; return the ring."""
        self.subjects = SubjectKeys(connect, self.field(SUBJECTS.table_name, SUBJECTS.column))
        return self

    def of_subject(self, row: object, *, makes: bool) -> bytes:
        """Return the key of the person whose row it is.

        Raises:
            Erased: The person was erased.
            UnknownKey: There is none, or the ring knows no persons.
        """
        if self.subjects is None:
            raise UnknownKey("this key ring knows no persons' keys", hint="`follow(url, provider)` gives one that does")
        return self.subjects.secret(str(row), makes=makes)

    @property
    def active(self) -> int:
        """The id of the key that seals.

        Raises:
            ConfigError: There is none.
        """
        return _active(self._states)

    @property
    def ids(self) -> frozenset[int]:
        """The keys that it has."""
        return frozenset(self._secrets)

    def _new_field(self, table: str, column: str, *, by_subject: bool) -> "Field":
        """Return a cipher that other threads see only once it has its keys."""
        with self._lock:
            known = self._fields.get((table, column, by_subject))
            if known is None:
                known = Field(table, column, self, by_subject=by_subject)
                known.refresh(self._secrets, self._states)
                self._fields[table, column, by_subject] = known
            return known

    def _unwrapped(self, key: WrappedKey) -> bytes:
        if key.provider != self._provider.name:
            hint = "set [security] key to the reference that was in force then"
            raise WrongProvider(f"key {key.id} was wrapped by {key.provider}, this is {self._provider.name}", hint=hint)
        return self._provider.unwrap(key.wrapped or b"", context_of(key.id))

    def __repr__(self) -> str:
        """Print which keys, not what they are."""
        return f"KeyRing({sorted(self._secrets)})"


class _Derived(msgspec.Struct, frozen=True):
    """A column's keys, which change all at once: a header never meets the cipher of another key."""

    header: bytes = b""
    seal: Callable[..., bytes] | None = None
    opens: Mapping[bytes, Callable[..., bytes]] = {}
    secrets: Mapping[bytes, bytes] = {}
    indexes: Sequence[bytes] = ()
    writes: tuple[bytes, bytes | None] = (b"", None)


class Field:
    """The cipher of one column; threads may use it while the keys change."""

    __slots__ = ("_bound", "_by_subject", "_keys", "_name", "_ring")

    def __init__(self, table: str, column: str, ring: KeyRing, *, by_subject: bool) -> None:
        """Start without keys."""
        self._ring, self._by_subject = ring, by_subject
        names = (table.encode(), column.encode())
        self._name = f"{table}.{column}"
        self._bound = _BEFORE + struct.pack(">HH", *map(len, names)) + b"".join(names)
        self._keys = _Derived()

    def refresh(self, secrets: dict[int, bytes], states: dict[int, str]) -> None:
        """Derive the column's keys from those of the ring."""
        ciphers = {key: AESGCM(self._derived(b"data", secret)) for key, secret in secrets.items()}
        persons = {header_of(key, by_subject=True): self._derived(b"person", secret) for key, secret in secrets.items()}
        opens = {header_of(key): cipher.decrypt for key, cipher in ciphers.items()}
        if "active" not in states.values():
            self._keys = msgspec.structs.replace(self._keys, opens=opens, secrets=persons, seal=None)
            return
        active = _active(states)
        indexes = {key: self._derived(b"index", secret) for key, secret in secrets.items() if states[key] != "pending"}
        before = [key for key, state in states.items() if state == "previous"]
        is_moving = len(indexes) > 1
        self._keys = _Derived(
            header=header_of(active, by_subject=self._by_subject),
            seal=ciphers[active].encrypt,
            opens=opens,
            secrets=persons,
            indexes=tuple(indexes.values()),
            writes=(indexes[before[0] if before else active], indexes[active] if is_moving else None),
        )

    def seal(self, row: object, clear: bytes, /) -> bytes:
        """Return the value sealed for a row.

        Raises:
            ConfigError: No key is active.
        """
        keys, nonce = self._keys, os.urandom(12)
        header, seal = keys.header, keys.seal
        if seal is None:
            raise _no_active_key()
        if self._by_subject:
            seal = self._personal(keys.secrets[header], row, makes=True).encrypt
        return header + nonce + seal(nonce, clear, header + self._bound + _row(row))

    def open(self, row: object, sealed: bytes, /) -> bytes:
        """Return the clear value.

        Raises:
            CannotOpen: It was changed, or was not sealed for this row.
            UnknownKey: The ring does not have its key.
        """
        header = sealed[:5]
        try:
            return self._keys.opens[header](sealed[5:17], sealed[17:], header + self._bound + _row(row))
        except KeyError:
            return self._opened_by_subject(row, sealed)
        except (InvalidTag, ValueError):
            raise self._failure(sealed) from None

    def _opened_by_subject(self, row: object, sealed: bytes) -> bytes:
        header = sealed[:5]
        if sealed == ERASED:
            raise Erased(f"the value of {self._name} was erased with its person", hint="nothing opens it any more")
        secret = self._keys.secrets.get(header)
        if secret is None or len(sealed) < OVERHEAD:
            raise self._failure(sealed)
        try:
            return self._personal(secret, row, makes=False).decrypt(sealed[5:17], sealed[17:], header + self._bound + _row(row))
        except (InvalidTag, ValueError):
            raise self._failure(sealed) from None

    def _personal(self, secret: bytes, row: object, *, makes: bool) -> AESGCM:
        """Return the cipher of a person's values in this column: two secrets make its key, and neither alone does."""
        return AESGCM(hmac.digest(secret, self._ring.of_subject(row, makes=makes), "sha256"))

    def written(self, value: bytes, /) -> tuple[bytes, bytes | None]:
        """Return what the columns `…_bidx` and `…_bidx_next` hold of a row with this value.

        Raises:
            ConfigError: No key is active.
        """
        now, then = self._keys.writes
        if not now:
            raise _no_active_key()
        return hmac.digest(now, value, "sha256"), then and hmac.digest(then, value, "sha256")

    def lookups(self, value: bytes, /) -> list[bytes]:
        """Return every digest under which a row with this value may be found."""
        return [hmac.digest(key, value, "sha256") for key in self._keys.indexes]

    def _derived(self, purpose: bytes, secret: bytes) -> bytes:
        return hmac.digest(secret, purpose + b"\0" + self._bound, "sha256")

    def _failure(self, sealed: bytes) -> CannotOpen | UnknownKey:
        keys = self._keys
        if (
            len(sealed) >= OVERHEAD
            and sealed[:1] in {b"\x01", b"\x02"}
            and sealed[:5] not in keys.opens.keys() | keys.secrets.keys()
        ):
            return UnknownKey(f"a value of {self._name} names a key that is not in the key ring", hint=_READ_AGAIN)
        return CannotOpen(f"a value of {self._name} does not open", hint="it was changed, or moved from another row or column")


def _row(row: Any) -> bytes:  # noqa: ANN401 - any key
    """Return a row's id as bytes: 16 of a UUID, else its text."""
    if isinstance(row, UUID):
        return row.bytes
    return row if isinstance(row, bytes) else str(row).encode()


def _active(states: dict[int, str]) -> int:
    for key, state in states.items():
        if state == "active":
            return key
    raise _no_active_key()


def _no_active_key() -> ConfigError:
    return ConfigError("the key ring has no active key", hint="`pgkeel security keys add` makes the first one")
