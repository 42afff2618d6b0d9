# Generated from pgkeel/cache/_async/reader.py by tools/unasync.py; do not edit.
"""Ask the cache, then the database, and fill: the thin side of the protocol in `pgkeel.cache.entry`."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from pgkeel.cache._colour.crowd_of_threads import Crowd
from pgkeel.cache._colour.threaded import Call, Flight, Link, Load, nap
from pgkeel.cache._sync.client import Client
from pgkeel.cache._sync.declared import Declared
from pgkeel.cache._sync.ledger import Confirmed, Ledger
from pgkeel.cache._sync.stale import Stale
from pgkeel.cache.entry import MISS, VERSION, Shelf, Taken, fresh, held_by
from pgkeel.cache.errors import CacheUnsuitable, CommandRefused, LoginRefused
from pgkeel.cache.figures import Figures, Tallies, Tally
from pgkeel.cache.life import Life
from pgkeel.cache.names import Names
from pgkeel.cache.script import script
from pgkeel.cache.server import Server
from pgkeel.cache.wire import Word
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import KeelError, Unreachable
from pgkeel.core.log import get_logger

__all__ = ["AWAY", "Reader"]

T = TypeVar("T")
AWAY = (Unreachable, CommandRefused, LoginRefused, CacheUnsuitable)
_PAUSES = (0.002, 0.004, 0.008, 0.016)
_LARGEST = 1 << 20
_log = get_logger(__name__)


class Lease(msgspec.Struct, frozen=True):
    """The right to fill.

    Attributes:
        key: Of which value.
        shelf: What that is.
        who: Whose it is.
        versions: What the value depends on, read before the database was.
        flight: Where callers of this process wait for it.
    """

    key: bytes
    shelf: Shelf[Any]
    who: bytes
    versions: bytes
    flight: "Flight[Landed]"

    @property
    def held(self) -> bytes:
        """What lies in the cache until we fill."""
        return held_by(self.who, self.versions)


class Landed(msgspec.Struct, frozen=True):
    """What whoever held the lease has read, for the callers who waited; each makes a value of its own of the bytes.

    Attributes:
        value: The value.
        kept: Its bytes, or None where it cannot be kept.
        versions: What it depends on.
    """

    value: Any
    kept: bytes | None
    versions: bytes


class Reader:
    """Reads values of one namespace."""

    def __init__(self, client: Client, names: Names, *, mark: int, lease: int) -> None:
        """Take the client and two durations in milliseconds: of a write's mark, and of a reader's lease."""
        self.client = client
        self.names = names
        self.figures = Figures()
        self.mark = mark
        self.is_trusted = True
        self.is_open = False
        self.crowd = Crowd(client)
        self.confirmed: Confirmed | None = None
        self.stale = Stale(client, lease)
        self.declared = Declared(client, names, mark)
        self.tallies = Tallies()
        self._lease_for = lease
        self._run = ""
        self._flights: dict[bytes, Flight[Landed]] = {}
        client.on_connect(self._greet)

    def read(
        self,
        key: bytes,
        shelf: Shelf[T],
        life: Life,
        load: Call[T | None],
        given: tuple[object, ...],
        named: Mapping[str, object] = MappingProxyType({}),
    ) -> T | None:
        """Return the value from the cache, else from the database; then the cache keeps it if it may.

        The cache being away is never an error here.

        Args:
            key: The value's name.
            shelf: What it is, and what it depends on.
            life: How long it is kept.
            load: Reads the primary, outside of any transaction.
            given: What `load` is called with.
            named: The same, by name.
        """
        lease, began = None, monotonic()
        try:
            link = self.client.link
            if link is None or link.is_closed or (self.confirmed is not None and began >= self.confirmed.until):
                link, began = self._made_ready(), monotonic()
            if life.near and self.is_trusted and (value := link.near(key, shelf, began)) is not MISS:
                self.figures.near += 1
                shelf.tally.near += 1
                return value
            held, current = link.look(key, shelf.shared, life.near)
            value = shelf.judge(held, current) if self.is_trusted else MISS
            if value is MISS:
                value, lease = self._miss(key, shelf, shelf.lease_in(held, current), life, current)
            if value is not MISS:
                self.figures.hits += 1
                tally = shelf.tally
                tally.hits += 1
                tally.hit_seconds += monotonic() - began
                return value
        except KeelError as err:
            self.figures.bypasses += 1
            if isinstance(err, CommandRefused):
                self.client.noted(err)
        return self._load(lease, life, shelf.tally, began, partial(load, *given, **named))

    def _load(self, lease: Lease | None, life: Life, tally: Tally, began: float, load: Load[T | None]) -> T | None:
        """Return what the database says; the cache keeps it where we may fill."""
        self.figures.misses += 1
        try:
            if lease is None:
                return self._timed(tally, load)
            return self._fill(lease, life, partial(self._timed, tally, load))
        finally:
            tally.missed(monotonic() - began)
            self.share(began)

    def _timed(self, tally: Tally, load: Load[T]) -> T:
        asked = monotonic()
        try:
            return load()
        finally:
            tally.load_seconds += monotonic() - asked

    def share(self, now: float, *, is_last: bool = False) -> None:
        """Tell the server now and then how well models do, so that `pgkeel cache stats` can say."""
        link = self.client.link
        if link is None or link.is_closed or not (deltas := self.tallies.due(now, is_last=is_last)):
            return
        link.mention(("EVAL", script("tally").text, 1, self.names.figures, *deltas))

    def _made_ready(self) -> Link:
        link = self.client.connected()
        if self.confirmed is not None:
            self.confirmed.confirm()
        return link

    def begin_epoch(self, *, on_demand: bool = False) -> None:
        """Begin an epoch where there is none, or now: nothing that was cached before is served again.

        Raises:
            Unreachable: The server does not answer.
        """
        server = self.client.server
        self.client.run("epoch", [self.names.epoch], *self._epoch(server.run if server else "", on_demand=on_demand))

    def bind(self, ledger: Ledger, every: float) -> None:
        """Serve hits only while the database's epoch was confirmed in the last so many seconds."""
        self.confirmed = Confirmed(ledger, self.begin_epoch, every)

    def _epoch(self, run: str, *, on_demand: bool) -> tuple[Word, ...]:
        return run, self.mark, fresh(), int(on_demand), self.confirmed.epoch if self.confirmed else ""

    def _greet(self, link: Link, server: Server) -> None:
        """See whether the server was started anew, before anything is read from it."""
        self.is_trusted = server.keeps_marks
        if not self.is_trusted:
            hint = "set maxmemory-policy to volatile-lru or noeviction"
            _log.warning("cache.not_trusted", server=str(self.client.url), policy=server.policy, hint=hint)
        wanted = self._epoch(server.run, on_demand=False)
        reply = link.call(("EVAL", script("epoch").text, 1, self.names.epoch, *wanted))
        if not isinstance(reply, bytes):
            raise CommandRefused("the cache refused to begin an epoch", hint="the user needs EVAL, GET, SET and TIME")
        if self.client.url.via and self.confirmed is not None and self._run not in {"", server.run}:
            self.confirmed.ledger.dirty()  # a server that was cut off may still answer others: they ask the database
        self._run = server.run

    def _miss(self, key: bytes, shelf: Shelf[Any], other: bytes, life: Life, current: bytes | None) -> tuple[Any, Lease | None]:
        """Return what another reader finds meanwhile, or the right to fill, or neither.

        Args:
            key: The value's name.
            shelf: What it is.
            other: Who holds a lease there, or b"".
            life: How long it is kept, and how old it may be.
            current: The versions that lie beside it.
        """
        if not self.is_trusted:
            self.figures.bypasses += 1
            return MISS, None
        if not other:
            taken, lease = self._lease(key, shelf)
            if taken.value is not MISS or lease:
                return taken.value, lease
            other = taken.lease
        if life.stale and current and (old := self.stale.find(key, shelf, current[:VERSION], life)) is not MISS:
            self.figures.stale += 1
            return old, None
        return (self._wait(key, shelf, other) if other else MISS), None

    def _wait(self, key: bytes, shelf: Shelf[T], other: bytes) -> T | None:
        """Return what whoever holds the lease reads, in this process or another; not for long.

        A lease that still lies there says that no write has begun since, so that sharing its read is as good as reading now.
        """
        flight = self._flights.get(other)
        if flight is not None:
            try:
                landed = flight.join(self._lease_for / 1000)
            except TimeoutError:
                return MISS  # type: ignore[no-any-return]
            self.figures.shared += 1
            return landed.value if landed.kept is None else shelf.judge(landed.kept, landed.versions)
        link = self.client.connected()
        for pause in _PAUSES:
            nap(pause)
            held, current = link.look(key, shelf.shared)
            value = shelf.judge(held, current)
            if value is not MISS or not shelf.lease_in(held, current):
                return value
        return MISS  # type: ignore[no-any-return]

    def _lease(self, key: bytes, shelf: Shelf[T]) -> tuple[Taken[T], Lease | None]:
        who = fresh()
        flight: Flight[Landed] = Flight()
        self._flights[who] = flight
        taken: Taken[T] = Taken()
        try:
            reply = self.client.run(
                "lease", (key, *shelf.shared), who, self._lease_for, fresh(), shelf.shape, shelf.strict, self.mark
            )
            taken = shelf.take(reply)
        finally:
            if not taken.versions:
                del self._flights[who]
                flight.crash()
        if reply == b"E":
            self.begin_epoch()
        return taken, Lease(key, shelf, who, taken.versions, flight) if taken.versions else None

    def _fill(self, lease: Lease, life: Life, load: Load[T | None]) -> T | None:
        try:
            value = load()
            kept = lease.shelf.filled(value, lease.versions)
            lease.flight.land(Landed(value, kept, lease.versions))
        except Exception:
            self._give_up(lease)
            raise
        finally:
            del self._flights[lease.who]
            lease.flight.crash()
        if not lease.shelf.is_kept_in(lease.versions):
            self.declared.forget()
            self._give_up(lease)
        elif kept is None or len(kept) > _LARGEST:
            self._give_up(lease)
        else:
            self._keep(lease, kept, life, is_nothing=value is None)
        return value

    def _keep(self, lease: Lease, kept: bytes, life: Life, *, is_nothing: bool) -> None:
        try:
            if self.client.set_if_equal(lease.key, lease.held, kept, life.draw(is_nothing=is_nothing)):
                self.figures.fills += 1
                if life.stale:
                    self.stale.keep(lease.key, lease.shelf, kept, life)
        except AWAY:
            self.figures.bypasses += 1

    def _give_up(self, lease: Lease) -> None:
        try:
            self.client.delete_if_equal(lease.key, lease.held)
        except AWAY:
            self.figures.bypasses += 1
