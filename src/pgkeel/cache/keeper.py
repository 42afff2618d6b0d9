"""What an operator asks of a cache: how it does, and to forget everything."""

from collections.abc import Iterator

import msgspec

from pgkeel.cache._sync.client import Client
from pgkeel.cache.advice import Benefit, benefits_of
from pgkeel.cache.entry import epoch_ends, fresh
from pgkeel.cache.names import declarations_of, epoch_of, figures_of, is_marks, pattern_of
from pgkeel.core.cache_url import CacheUrl

__all__ = ["Kinds", "Stats", "count", "flush", "kinds", "stats"]

_BATCH = 1000


class Stats(msgspec.Struct, frozen=True):
    """How a cache server does.

    Attributes:
        server: What runs there, and its version.
        policy: What it drops when its memory is full.
        is_trusted: Whether reads use it; not when it would drop the marks of writes under way.
        is_filling: Whether readers fill; not in the time after a start or flush, nor before the first reader.
        keys: Keys in the database, of all namespaces.
        used: Memory in use.
        limit: Memory at most; 0 is unlimited.
        evicted: Keys dropped for want of memory since the server started.
        hits: Keys that were asked for and found since then, those of the protocol included.
        misses: Keys that were asked for and not found.
        models: Table or function → how well it is cached, of all processes; they tell it every 10 s.
    """

    server: str
    policy: str
    is_trusted: bool
    is_filling: bool
    keys: int
    used: int
    limit: int
    evicted: int
    hits: int
    misses: int
    models: dict[str, Benefit]


def stats(url: CacheUrl, namespace: str) -> Stats:
    """Return how the server does.

    Raises:
        Unreachable: It does not answer.
        LoginRefused: The user or password is wrong.
    """
    client = Client(url, home=epoch_of(namespace))
    try:
        client.open()
        epoch, time, keys = client.call("GET", epoch_of(namespace)), client.call("TIME"), client.call("DBSIZE")
        models = client.call("HGETALL", figures_of(namespace))
    finally:
        client.close()
    assert client.server is not None  # noqa: S101 - it is open
    figures = client.server.figures
    return Stats(
        server=f"{client.server.kind} {client.server.version}",
        policy=client.server.policy,
        is_trusted=client.server.keeps_marks,
        is_filling=epoch is not None and epoch_ends(epoch) <= int(time[0]) * 1000,
        keys=keys,
        used=int(figures["used_memory"]),
        limit=int(figures["maxmemory"]),
        evicted=int(figures["evicted_keys"]),
        hits=int(figures["keyspace_hits"]),
        misses=int(figures["keyspace_misses"]),
        models=benefits_of({name.decode(): float(number) for name, number in models.items()}),
    )


def count(url: CacheUrl, namespace: str) -> int:
    """Return how many keys `flush` would delete.

    Raises:
        Unreachable: The server does not answer.
    """
    client = Client(url, home=epoch_of(namespace))
    try:
        return sum(len(batch) for batch in _keys(client, namespace))
    finally:
        client.close()


class Kinds(msgspec.Struct):
    """What lies in a namespace.

    Attributes:
        values: Rows and results.
        missing: Knowledge that there is no row.
        leases: Reads under way.
        marks: Writes under way by the tags that they touch, those of writers who died too.
        tags: Versions of tables and tags.
        other: Keys of recipes.
        bytes: Length of all of them.
    """

    values: int = 0
    missing: int = 0
    leases: int = 0
    marks: int = 0
    tags: int = 0
    other: int = 0
    bytes: int = 0


_KIND = {b"V": "values", b"N": "missing", b"L": "leases", b"G": "tags"}


def kinds(url: CacheUrl, namespace: str) -> Kinds:
    """Return what lies in a namespace, by kind; names are hashes and say nothing.

    Raises:
        Unreachable: The server does not answer.
    """
    client, found = Client(url, home=epoch_of(namespace)), Kinds()
    try:
        for batch in _keys(client, namespace):
            for key, raw in zip(batch, client.call("MGET", *batch), strict=True) if batch else ():
                marks = client.call("HVALS", key) if is_marks(key, namespace) else None
                kind = _KIND.get((raw or b"")[:1], "other") if marks is None else "marks"
                setattr(found, kind, getattr(found, kind) + (1 if marks is None else len(marks)))
                found.bytes += sum(map(len, (raw or b"",) if marks is None else marks))
    finally:
        client.close()
    return found


def flush(url: CacheUrl, namespace: str, mark: int) -> int:
    """Forget everything in a namespace and return how many keys were deleted; safe to repeat, and while others work.

    The first step, a new epoch, makes all of it unreachable and lets nobody fill for `mark` milliseconds, so that the marks of
    writes under way may be deleted too.

    Raises:
        Unreachable: The server does not answer.
    """
    client = Client(url, home=epoch_of(namespace))
    try:
        client.open()
        run = client.server.run if client.server else ""
        client.run("epoch", [epoch_of(namespace)], run, mark, fresh(), 1, "")
        return sum(client.call("UNLINK", *batch) for batch in _keys(client, namespace) if batch)
    finally:
        client.close()


def _keys(client: Client, namespace: str) -> Iterator[list[bytes]]:
    cursor, kept = b"0", (epoch_of(namespace), declarations_of(namespace))
    while True:
        cursor, found = client.call("SCAN", cursor, "MATCH", pattern_of(namespace), "COUNT", _BATCH)
        yield [key for key in found if key not in kept]
        if cursor == b"0":
            return
