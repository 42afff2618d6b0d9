"""The keys in their table: added, activated, retired, destroyed, one step at a time and never one before its time.

pending → active → previous → retired → destroyed. A new key is pending until every process has read it; the one before it is
`previous` until `rotate` has sealed every row anew; a retired one only opens, until nothing needs it.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from pgkeel.core.cipher import header_of
from pgkeel.core.units import format_duration
from pgkeel.postgres import Connection, identifier, load
from pgkeel.security.keys.errors import KeyInUse, NoSuchKey, TooEarly, WrongState
from pgkeel.security.keys.key import KeyState, WrappedKey, context_of
from pgkeel.security.keys.provider import KeyProvider
from pgkeel.security.keys.ring import KeyRing
from pgkeel.security.keys.subjects import has_subjects

__all__ = [
    "KeyHolder",
    "activate",
    "add",
    "ensure",
    "keys_of",
    "known",
    "load_ring",
    "mark_destroyed",
    "mark_retired",
    "require_time",
    "require_unused",
    "rewrap",
    "rows_by_key",
]

_BYTES = 32


class KeyHolder(Protocol):
    """What may hold values sealed by a key outside of the live tables: audit partitions, kept backups."""

    def holding(self, key: WrappedKey) -> Sequence[str]:
        """Return the names of those that need the key."""
        ...


def keys_of(connection: Connection) -> tuple[WrappedKey, ...]:
    """Return every key, wrapped."""
    return tuple(msgspec.convert(row, WrappedKey) for row in load(__name__, "load").rows(connection))


def load_ring(connection: Connection, provider: KeyProvider, connect: Callable[[], Connection] | None = None) -> KeyRing:
    """Return the key ring of a database.

    Args:
        connection: To the database.
        provider: What wrapped its keys.
        connect: Opens one more connection, for the keys of persons; without it, what was sealed by one does not open.

    Raises:
        WrongProvider: The provider did not wrap its keys.
    """
    ring = KeyRing(provider)
    ring.take(keys_of(connection))
    if connect is not None and has_subjects(connection):
        ring.with_subjects(connect)
    return ring


def known(connection: Connection, key: int) -> WrappedKey:
    """Return a key.

    Raises:
        NoSuchKey: There is none with this id.
    """
    found = next((each for each in keys_of(connection) if each.id == key), None)
    if found is None:
        raise NoSuchKey(f"there is no key {key}", hint="`pgkeel security keys status` lists them")
    return found


def ensure(connection: Connection, provider: KeyProvider) -> int:
    """Return the active key, made where there is no key yet."""
    with connection.transaction():
        load(__name__, "lock").run(connection)
        keys = keys_of(connection)
        active = [key.id for key in keys if key.state == "active"]
        return active[0] if active else _insert(connection, provider, keys, "active")


def add(connection: Connection, provider: KeyProvider) -> WrappedKey:
    """Add a key that seals nothing yet, or, as the first one, at once; return it.

    Raises:
        WrongState: A key is pending already, or a rotation is not finished.
    """
    with connection.transaction():
        load(__name__, "lock").run(connection)
        keys = keys_of(connection)
        for key in keys:
            if key.state in {"pending", "previous"}:
                step = f"activate {key.id}" if key.state == "pending" else f"rotate`, then `pgkeel security keys retire {key.id}"
                raise WrongState(f"key {key.id} is {key.state}", hint=f"finish that first: `pgkeel security keys {step}`")
        has_active = any(key.state == "active" for key in keys)
        return known(connection, _insert(connection, provider, keys, "pending" if has_active else "active"))


def activate(connection: Connection, key: int, *, refresh: timedelta) -> WrappedKey:
    """Let a pending key seal from now on; the one before it becomes `previous`.

    Raises:
        WrongState: It is not pending.
        TooEarly: It was added less than `refresh` ago.
    """
    with connection.transaction():
        load(__name__, "lock").run(connection)
        found = known(connection, key)
        if found.state == "active":
            return found
        _require(found, "pending")
        require_time(connection, key, refresh)
        for other in keys_of(connection):
            if other.state == "active":
                load(__name__, "change").run(connection, id=other.id, state="previous")
        load(__name__, "change").run(connection, id=key, state="active")
        return known(connection, key)


def mark_retired(connection: Connection, key: int) -> None:
    """Let a key only open from now on."""
    load(__name__, "change").run(connection, id=key, state="retired")


def mark_destroyed(connection: Connection, key: int) -> None:
    """Forget a key for ever."""
    load(__name__, "destroy").run(connection, id=key)


def rewrap(connection: Connection, old: KeyProvider, new: KeyProvider) -> int:
    """Let another provider wrap every key, all or none; return how many.

    Raises:
        WrongProvider: The old one did not wrap them.
    """
    with connection.transaction():
        load(__name__, "lock").run(connection)
        living = [key for key in keys_of(connection) if key.wrapped is not None and key.provider != new.name]
        for key in living:
            context = context_of(key.id)
            wrapped = new.wrap(old.unwrap(key.wrapped or b"", context), context)
            load(__name__, "rewrap").run(connection, id=key.id, provider=new.name, wrapped=wrapped)
        return len(living)


def _columns_with(connection: Connection, key: int) -> list[str]:
    """Return the columns of the whole database, in whichever table, where a value lies, or may lie, that a key sealed."""
    found = []
    for row in load(__name__, "sealed_columns").rows(connection):
        if row["hides_rows"]:
            found.append(f"{row['schema']}.{row['table']}.{row['column']} (row-level security hides its rows from this login)")
            continue
        names = {"table": identifier(row["schema"], row["table"]), "column": identifier(row["column"])}
        if load(__name__, "has_rows_of_key").named(**names).scalar(connection, headers=_headers_of(key)):
            found.append(f"{row['schema']}.{row['table']}.{row['column']}")
    return found


def _headers_of(key: int) -> list[bytes]:
    return [header_of(key), header_of(key, by_subject=True)]


def rows_by_key(connection: Connection) -> dict[int, int]:
    """Return how many values of this database each key sealed.

    Only of keys that there are: whatever bytes else lie in a column, a wrapped key or a digest, may begin like a sealed value.
    """
    counts: dict[int, int] = {}
    headers = [header for key in keys_of(connection) for header in _headers_of(key.id)]
    for row in load(__name__, "sealed_columns").rows(connection):
        names = {"table": identifier(row["schema"], row["table"]), "column": identifier(row["column"])}
        for found in load(__name__, "rows_by_key").named(**names).rows(connection, headers=headers):
            counts[found["key"]] = counts.get(found["key"], 0) + found["rows"]
    return counts


def require_unused(connection: Connection, key: WrappedKey, holders: Sequence[KeyHolder]) -> None:
    """Refuse to destroy a key that something needs.

    Raises:
        KeyInUse: A row, an audit partition or a kept backup does; `data` names them.
    """
    used = [*_columns_with(connection, key.id), *(name for holder in holders for name in holder.holding(key))]
    if used:
        more = f" and {len(used) - 3} more" if len(used) > 3 else ""
        hint = "`pgkeel security keys rotate` seals rows anew; audit partitions and backups go when their time is over"
        raise KeyInUse(f"key {key.id} is needed by {', '.join(used[:3])}{more}", hint=hint, data={"used_by": used})


def require_time(connection: Connection, key: int, refresh: timedelta) -> None:
    """Refuse a step before every process has read the last one.

    Raises:
        TooEarly: They have not.
    """
    left = load(__name__, "waits").scalar(connection, id=key, refresh=refresh)
    if left is not None and left > timedelta():
        wait = format_duration(timedelta(seconds=max(1, round(left.total_seconds()))))
        raise TooEarly(
            f"key {key} was changed a moment ago, and processes read the keys again from time to time", hint=f"again in {wait}"
        )


def _require(key: WrappedKey, *states: KeyState) -> None:
    if key.state not in states:
        raise WrongState(
            f"key {key.id} is {key.state}, not {' or '.join(states)}", hint="`pgkeel security keys status` shows all"
        )


def _insert(connection: Connection, provider: KeyProvider, keys: Sequence[WrappedKey], state: KeyState) -> int:
    key = max((each.id for each in keys), default=0) + 1
    wrapped = provider.wrap(os.urandom(_BYTES), context_of(key))
    load(__name__, "add").run(connection, id=key, state=state, provider=provider.name, wrapped=wrapped)
    return key
