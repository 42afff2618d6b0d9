"""What writers of one event loop say together: before COMMIT, and after it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgkeel.cache._colour.together import Look, Shared
from pgkeel.cache.entry import fresh
from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.script import script
from pgkeel.cache.wire import ReplyError, Word, packed
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import KeelError, Unreachable

if TYPE_CHECKING:
    from pgkeel.cache._async.client import Client

__all__ = ["Crowd"]

_MANY = 4
_GATHER = 0.001
_LONGEST = 10.0
_MOST = 500
_NAME = "write"


class Announcement(Shared):
    """What writers say in one script.

    Attributes:
        number: Of how many keys they speak.
    """

    __slots__ = ("_coming", "_is_text", "_leaving", "_milliseconds", "_rows", "_tags", "number")

    def __init__(self, milliseconds: int, loop: asyncio.AbstractEventLoop) -> None:
        """Say nothing yet; marks last for so many milliseconds."""
        super().__init__(loop)
        self._milliseconds = milliseconds
        self._is_text = False
        self.number = 0
        self._rows: dict[bytes, None] = {}
        self._tags: dict[bytes, None] = {}
        self._coming: dict[bytes, bytes] = {}
        self._leaving: dict[bytes, bytes] = {}

    def add(self, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes, *, is_over: bool) -> Look:
        """Speak for one more writer, and return what it waits for."""
        who_of = self._leaving if is_over else self._coming
        for key in rows:
            self._rows[key] = None
            who_of[key] = who_of.get(key, b"") + who
        for key in tags:
            self._tags[key] = None
            who_of[key] = who_of.get(key, b"") + who
        self.number += len(rows) + len(tags)
        look = Look(self, 0)
        self.looks.append(look)
        return look

    @property
    def command(self) -> bytes:
        """The command."""
        wanted = script(_NAME)
        say = ("EVAL", wanted.text) if self._is_text else ("EVALSHA", wanted.digest)
        keys = [*self._rows, *self._tags]
        who = [found for key in keys for found in (self._leaving.get(key, b""), self._coming.get(key, b""))]
        return packed((*say, len(keys), *keys, len(self._rows), fresh(), self._milliseconds, *who))

    def arrive(self, reply: Any) -> bool:  # noqa: ANN401 - any reply
        """Keep the answer; False where the server does not know the script, and must be told it."""
        if type(reply) is not ReplyError:
            self.found = (None,)
        elif not self._is_text and str(reply).startswith("NOSCRIPT"):
            self._is_text = True
            return False
        else:
            self.failure = reply
        return True


class Crowd:
    """Writers of this process: where many follow each other closely, they speak in one script, 1 ms later at most."""

    __slots__ = ("_client", "_gathering", "_leaving", "_milliseconds", "_under_way")

    def __init__(self, client: "Client", milliseconds: int) -> None:
        """Speak to this server; marks last for so many milliseconds."""
        self._client = client
        self._milliseconds = milliseconds
        self._under_way: dict[bytes, float] = {}
        self._gathering: Announcement | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def tell(self, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes, *, is_over: bool) -> None:
        """Mark rows and tags, or take the marks away.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        if self._count(who, is_over=is_over) < _MANY:
            await self._say(rows, tags, (who, b"") if is_over else (b"", who))
            return
        gathering = self._gathering
        if gathering is None:
            loop = asyncio.get_running_loop()
            gathering = self._gathering = Announcement(self._milliseconds, loop)
            loop.call_later(_GATHER, self._leave, gathering)
        look = gathering.add(rows, tags, who, is_over=is_over)
        if gathering.number > _MOST:
            self._leave(gathering)
        try:
            await look
        except CommandRefused as err:
            raise self._client.noted(err) from None

    def _count(self, who: bytes, *, is_over: bool) -> int:
        """Return how many writes are under way, this one among them; of some nobody knows how they ended."""
        under_way = self._under_way
        if is_over:
            under_way.pop(who, None)
            return len(under_way) + 1
        under_way[who] = now = monotonic()
        if len(under_way) >= _MANY and under_way[oldest := next(iter(under_way))] < now - _LONGEST:
            del under_way[oldest]
        return len(under_way)

    async def _say(self, rows: Sequence[bytes], tags: Sequence[bytes], who: tuple[bytes, bytes]) -> None:
        """Run the script for one writer, without a turn of the loop where that is possible."""
        keys = (*rows, *tags)
        values: tuple[Word, ...] = (len(rows), fresh(), self._milliseconds, *who * len(keys))
        link = self._client.link
        if link is not None and not link.is_closed:
            reply = link.at_once(("EVALSHA", script(_NAME).digest, len(keys), *keys, *values))
            if type(reply) is int or type(await reply if isinstance(reply, asyncio.Future) else reply) is int:
                return
        await self._client.run(_NAME, keys, *values)

    def _leave(self, gathering: Announcement) -> None:
        if self._gathering is not gathering:
            return
        self._gathering = None
        link = self._client.link
        if link is not None and not link.is_closed:
            link.send(gathering)
            return
        leaving = asyncio.get_running_loop().create_task(self._connect_and_send(gathering))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _connect_and_send(self, gathering: Announcement) -> None:
        failure: KeelError | None = Unreachable("the cache was not told", hint="the event loop ends")
        try:
            (await self._client.connected()).send(gathering)
            failure = None
        except KeelError as err:
            failure = err
        finally:
            if failure is not None:
                gathering.crash(failure)
