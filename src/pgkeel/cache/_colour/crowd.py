"""What writers of one event loop say together: before COMMIT, and after it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgkeel.cache._colour.together import Look, Shared
from pgkeel.cache.entry import fresh
from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.script import script
from pgkeel.cache.wire import ReplyError, packed
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
    """What writers say in one script."""

    __slots__ = ("_coming", "_is_text", "_leaving", "_milliseconds", "_rows", "_tags")

    def __init__(self, milliseconds: int, loop: asyncio.AbstractEventLoop) -> None:
        """Say nothing yet; marks last for so many milliseconds."""
        super().__init__(loop)
        self._milliseconds = milliseconds
        self._is_text = False
        self._rows: dict[bytes, None] = {}
        self._tags: dict[bytes, None] = {}
        self._coming: dict[bytes, bytes] = {}
        self._leaving: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        """Return of how many keys it speaks."""
        return len(self._rows) + len(self._tags)

    def add(self, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes, *, is_over: bool) -> Look:
        """Speak for one more writer, and return what it waits for."""
        who_of = self._leaving if is_over else self._coming
        for known, keys in ((self._rows, rows), (self._tags, tags)):
            for key in keys:
                known[key] = None
                who_of[key] = who_of[key] + who if key in who_of else who
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
        loop = asyncio.get_running_loop()
        if self._count(who, loop.time(), is_over=is_over) < _MANY:
            await self._say(rows, tags, (who, b"") if is_over else (b"", who))
            return
        gathering = self._gathering
        if gathering is None:
            gathering = self._gathering = Announcement(self._milliseconds, loop)
            loop.call_later(_GATHER, self._leave, gathering)
        look = gathering.add(rows, tags, who, is_over=is_over)
        if len(gathering) > _MOST:
            self._leave(gathering)
        try:
            await look
        except CommandRefused as err:
            raise self._client.noted(err) from None

    def _count(self, who: bytes, now: float, *, is_over: bool) -> int:
        """Return how many writes are under way, this one among them; of some nobody knows how they ended."""
        under_way = self._under_way
        under_way[who] = now
        number = len(under_way)
        if is_over:
            del under_way[who]
        elif number >= _MANY and under_way[oldest := next(iter(under_way))] < now - _LONGEST:
            del under_way[oldest]
        return number

    async def _say(self, rows: Sequence[bytes], tags: Sequence[bytes], who: tuple[bytes, bytes]) -> None:
        """Run the script for one writer, without a turn of the loop where that is possible."""
        number = len(rows) + len(tags)
        said = (*rows, *tags, len(rows), fresh(), self._milliseconds, *who * number)
        link = self._client.link
        if link is not None and not link.is_closed:
            reply = link.at_once(("EVALSHA", script(_NAME).digest, number, *said))
            if type(reply) is int or type(await reply if isinstance(reply, asyncio.Future) else reply) is int:
                return
        await self._client.run(_NAME, said[:number], *said[number:])  # type: ignore[arg-type]  # keys are bytes

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
