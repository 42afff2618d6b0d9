"""Tell the cache who wrote published tables, by logical decoding: no trigger, so that the writers pay nothing.

The slot is temporary: it keeps no WAL while the agent is away. Whoever begins to follow does not know what was written before,
so a new epoch begins; that is also what becomes of a slot that fell too far behind.
"""

from collections.abc import Callable
from datetime import timedelta

from pgkeel.agent.reach import Reach
from pgkeel.agent.services.carrier import Invalidator, forget_rows
from pgkeel.agent.services.pgoutput import Relation, written_of
from pgkeel.agent.services.service import Service
from pgkeel.core.errors import ConfigError
from pgkeel.core.log import get_logger
from pgkeel.core.units import Size
from pgkeel.postgres import Connection, load

__all__ = ["Follower"]

log = get_logger(__name__)

_POLL = timedelta(milliseconds=50)
_MOST = 10_000
_BEHIND = Size(1 << 30)


class Follower:
    """Makes the service: several agents may run it side by side, each with a slot of its own."""

    def __init__(
        self, connect: Callable[[], Invalidator], publication: str, *, poll: timedelta = _POLL, most_behind: Size = _BEHIND
    ) -> None:
        """Take what connects to the cache, what is published, and how much WAL the server may keep for us."""
        self._connect = connect
        self._publication = publication
        self._poll = poll
        self._most_behind = most_behind
        self._relations: dict[int, Relation] = {}

    @property
    def service(self) -> Service:
        """The service."""
        return Service("cache-follower", self._run)

    def _run(self, reach: Reach) -> None:
        connection = reach.connect("owner")
        cache = self._connect()
        try:
            slot = self.begin(connection, cache)
            while True:
                slot, is_more = self.follow(connection, cache, slot)
                if not is_more:
                    reach.wait(self._poll)
        finally:
            cache.close()

    def begin(self, connection: Connection, cache: Invalidator) -> str:
        """Begin to follow: a slot first, then an epoch, so that nothing is written between the two. Returns the slot's name.

        Raises:
            ConfigError: The server's `wal_level` is not logical, or the publication is missing.
        """
        [found] = load(__name__, "follower_needs").rows(connection, publication=self._publication)
        if not found["is_logical"]:
            raise ConfigError("logical decoding needs wal_level = logical", hint="set it, restart the server; or use cache_watch")
        if not found["is_published"]:
            hint = f"CREATE PUBLICATION {self._publication} FOR TABLE posts (id); with the columns of each primary key"
            raise ConfigError(f"there is no publication {self._publication}", hint=hint)
        self._relations.clear()
        slot = str(load(__name__, "follower_slot").scalar(connection))
        load(__name__, "follower_dirty").scalar(connection)
        cache.begin(str(load(__name__, "cache_epoch").scalar(connection)))
        log.info("cache.following", publication=self._publication, slot=slot)
        return slot

    def follow(self, connection: Connection, cache: Invalidator, slot: str) -> tuple[str, bool]:
        """Tell the cache what was written since; return the slot and whether there may be more.

        The slot moves on only when the cache was told: after a failure in between it is told again.
        """
        place = load(__name__, "follower_place").row(connection, slot=slot)
        if place is None:
            return self.begin(connection, cache), True
        if place["behind"] > self._most_behind:
            log.warning("cache.fell_behind", behind=str(Size(place["behind"])))
            load(__name__, "follower_drop").scalar(connection, slot=slot)
            return self.begin(connection, cache), True
        if not place["behind"]:
            return slot, False
        rows = load(__name__, "follower_changes").rows(
            connection, slot=slot, upto=place["now"], most=_MOST, publication=self._publication
        )
        written = written_of((bytes(row["data"]) for row in rows), self._relations)
        if written.rows or written.tables:
            forget_rows(connection, cache, written.rows, sorted(written.tables))
        is_more = len(rows) >= _MOST
        upto = f"{written.end >> 32:X}/{written.end & 0xFFFFFFFF:X}" if is_more else place["now"]
        load(__name__, "follower_advance").scalar(connection, slot=slot, upto=upto)
        return slot, is_more
