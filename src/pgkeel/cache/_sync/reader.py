# Generated from pgkeel/cache/_async/reader.py by tools/unasync.py; do not edit.
"""Ask the cache, then the database, and fill: the thin side of the protocol in `pgkeel.cache.entry`."""

from typing import Any, TypeVar

import msgspec

from pgkeel.cache._colour.threaded import Flight, Link, Load, nap
from pgkeel.cache._sync.client import Client
from pgkeel.cache.entry import Found, Place, fresh, held_by
from pgkeel.cache.errors import CacheUnsuitable, CommandRefused, LoginRefused
from pgkeel.cache.figures import Figures
from pgkeel.cache.life import Life
from pgkeel.cache.names import Names
from pgkeel.cache.script import script
from pgkeel.cache.server import Server
from pgkeel.core.errors import Unreachable
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
        who: Whose it is.
        versions: What the value depends on, read before the database was.
        flight: Where callers of this process wait for it.
    """

    who: bytes
    versions: bytes
    flight: Flight[Any]

    @property
    def held(self) -> bytes:
        """What lies in the cache until we fill."""
        return held_by(self.who, self.versions)


class Reader:
    """Reads values of one namespace."""

    def __init__(self, client: Client, names: Names, *, mark: int, lease: int) -> None:
        """Take the client and two durations in milliseconds: of a write's mark, and of a reader's lease."""
        self.client = client
        self.names = names
        self.figures = Figures()
        self.mark = mark
        self.is_trusted = True
        self._lease_for = lease
        self._flights: dict[bytes, Flight[Any]] = {}
        client.on_connect(self._greet)

    def read(self, place: Place[T], load: Load[T | None], life: Life) -> T | None:
        """Return the value from the cache, else from the database; then the cache keeps it if it may.

        The cache being away is never an error here. `load` must read the primary, outside of any transaction.
        """
        figures = self.figures
        lease = None
        try:
            found = place.judge(self.client.call("MGET", *place.keys))
            if not found.is_hit or not self.is_trusted:
                found, lease = self._miss(place, found)
        except AWAY:
            figures.bypasses += 1
            found = Found(is_hit=False)
        if found.is_hit:
            figures.hits += 1
            return found.value  # type: ignore[no-any-return]
        figures.misses += 1
        return load() if lease is None else self._fill(place, load, life, lease)

    def begin_epoch(self, *, on_demand: bool = False) -> None:
        """Begin an epoch where there is none, or now: nothing that was cached before is served again.

        Raises:
            Unreachable: The server does not answer.
        """
        server = self.client.server
        run = server.run if server else ""
        self.client.run("epoch", [self.names.epoch], run, self.mark, fresh(), int(on_demand))

    def _greet(self, link: Link, server: Server) -> None:
        """See whether the server was started anew, before anything is read from it."""
        self.is_trusted = server.keeps_marks
        if not self.is_trusted:
            hint = "set maxmemory-policy to volatile-lru or noeviction"
            _log.warning("cache.not_trusted", server=str(self.client.url), policy=server.policy, hint=hint)
        reply = link.call(("EVAL", script("epoch").text, 1, self.names.epoch, server.run, self.mark, fresh(), 0))
        if not isinstance(reply, bytes):
            raise CommandRefused("the cache refused to begin an epoch", hint="the user needs EVAL, GET, SET and TIME")

    def _miss(self, place: Place[Any], found: Found) -> tuple[Found, Lease | None]:
        """Return what another reader finds meanwhile, or the right to fill, or neither."""
        if not self.is_trusted:
            self.figures.bypasses += 1
            return Found(is_hit=False), None
        lease = None
        if not found.lease:
            found, lease = self._lease(place)
        if found.lease:
            found = self._wait(place, found)
        return found, lease

    def _wait(self, place: Place[Any], found: Found) -> Found:
        """Return what whoever holds the lease reads, in this process or another; not for long.

        A lease that still lies there says that no write has begun since, so that sharing its read is as good as reading now.
        """
        flight = self._flights.get(found.lease)
        if flight is not None:
            try:
                value = flight.join(self._lease_for / 1000)
            except TimeoutError:
                return found
            self.figures.shared += 1
            return Found(is_hit=True, value=place.copied(value))
        for pause in _PAUSES:
            nap(pause)
            found = place.judge(self.client.call("MGET", *place.keys))
            if found.is_hit or not found.lease:
                break
        return found

    def _lease(self, place: Place[Any]) -> tuple[Found, Lease | None]:
        who = fresh()
        flight: Flight[Any] = Flight()
        self._flights[who] = flight
        versions = b""
        try:
            reply = self.client.run("lease", place.keys, who, self._lease_for, fresh(), place.shape)
            found, versions = place.take(reply)
        finally:
            if not versions:
                del self._flights[who]
                flight.crash()
        if reply == b"E":
            self.begin_epoch()
        return found, Lease(who, versions, flight) if versions else None

    def _fill(self, place: Place[Any], load: Load[Any], life: Life, lease: Lease) -> Any:  # noqa: ANN401 - the value's type
        is_read = False
        try:
            value = load()
            is_read = True
            lease.flight.land(value)
        except Exception:
            self._give_up(place, lease)
            raise
        finally:
            del self._flights[lease.who]
            if not is_read:
                lease.flight.crash()
        kept = place.filled(value, lease.versions)
        if kept is None or len(kept) > _LARGEST:
            self._give_up(place, lease)
        else:
            self._keep(place, kept, life.draw(is_nothing=value is None), lease)
        return value

    def _keep(self, place: Place[Any], kept: bytes, milliseconds: int, lease: Lease) -> None:
        try:
            self.figures.fills += self.client.set_if_equal(place.key, lease.held, kept, milliseconds)
        except AWAY:
            self.figures.bypasses += 1

    def _give_up(self, place: Place[Any], lease: Lease) -> None:
        try:
            self.client.delete_if_equal(place.key, lease.held)
        except AWAY:
            self.figures.bypasses += 1
