"""What tasks of one event loop do together: ask, and announce."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgkeel.cache.entry import fresh, joined
from pgkeel.cache.script import script
from pgkeel.cache.wire import ReplyError, Word, packed
from pgkeel.core.errors import KeelError, Unreachable

if TYPE_CHECKING:
    from pgkeel.cache._async.client import Client

__all__ = ["Batch", "Crowd"]

_MANY = 4
_GATHER = 0.001
_LONGEST = 10.0
_MOST = 500


class Batch:
    """Values that tasks look for in one turn of the loop and that depend on the same keys: one MGET for all."""

    __slots__ = ("current", "keys", "near", "shared", "waiting")

    def __init__(self, shared: Sequence[bytes], near: float) -> None:
        """Look for nothing yet."""
        self.shared = shared
        self.near = near
        self.keys: list[bytes] = []
        self.waiting: list[asyncio.Future[Any]] = []
        self.current: bytes | None = None

    @property
    def command(self) -> bytes:
        """The command."""
        return packed(("MGET", *self.keys, *self.shared))

    def land(self, reply: Any) -> None:  # noqa: ANN401 - any reply
        """Hand each task what it looked for."""
        if type(reply) is ReplyError:
            reply = [reply] * len(self.keys)
        else:
            self.current = joined(reply[len(self.keys) :])
        for future, held in zip(self.waiting, reply, strict=False):
            if not future.done():
                future.set_result(held)

    def crash(self, failure: Unreachable) -> None:
        """Tell each task that there is no answer."""
        for future in self.waiting:
            if not future.done():
                future.set_exception(Unreachable(failure.message, hint=failure.hint))


class Announcement:
    """What writers say in one script."""

    __slots__ = ("milliseconds", "rows", "tags", "waiting")

    def __init__(self, milliseconds: int) -> None:
        """Say nothing yet."""
        self.milliseconds = milliseconds
        self.rows: dict[bytes, bytes] = {}
        self.tags: dict[bytes, bytes] = {}
        self.waiting: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """Return of how many keys it speaks."""
        return len(self.rows) + len(self.tags)

    def add(self, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes) -> None:
        """Speak for one more writer."""
        for known, keys in ((self.rows, rows), (self.tags, tags)):
            for key in keys:
                known[key] = known.get(key, b"") + who

    def words(self) -> tuple[Any, ...]:
        """Return the script's keys, and its values behind each other."""
        writers = (*self.rows.values(), *self.tags.values())
        return [*self.rows, *self.tags], len(self.rows), fresh(), self.milliseconds, *writers

    def land(self, error: KeelError | None) -> None:
        """Tell each writer how it ended."""
        for future in self.waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(type(error)(error.message, hint=error.hint))


class Crowd:
    """Writers of this process: where many follow each other closely, they speak in one script, 1 ms later at most."""

    __slots__ = ("_client", "_gathering", "_leaving", "_under_way")

    def __init__(self, client: "Client") -> None:
        """Speak to this server."""
        self._client = client
        self._under_way: dict[bytes, float] = {}
        self._gathering: dict[str, Announcement] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def tell(self, name: str, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes, milliseconds: int = 0) -> None:
        """Run the script `mark` or `release` on rows and tags.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        loop = asyncio.get_running_loop()
        is_alone = self._count(who, loop.time(), is_over=not milliseconds) < _MANY
        if is_alone:
            keys = (*rows, *tags)
            await self._say(name, keys, (len(rows), fresh(), milliseconds, *(who,) * len(keys)))
            return
        gathering = self._gathering.get(name)
        if gathering is None:
            gathering = self._gathering[name] = Announcement(milliseconds)
            loop.call_later(_GATHER, self._leave, name, gathering)
        gathering.add(rows, tags, who)
        future = loop.create_future()
        gathering.waiting.append(future)
        if len(gathering) > _MOST:
            self._leave(name, gathering)
        await future

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

    async def _say(self, name: str, keys: Sequence[bytes], values: Sequence[Word]) -> None:
        """Run a script, without a turn of the loop where that is possible."""
        link = self._client.link
        if link is not None and not link.is_closed:
            reply = link.at_once(("EVALSHA", script(name).digest, len(keys), *keys, *values))
            if type(reply) is int or type(await reply if isinstance(reply, asyncio.Future) else reply) is int:
                return
        await self._client.run(name, keys, *values)

    def _leave(self, name: str, gathering: Announcement) -> None:
        if self._gathering.get(name) is gathering:
            del self._gathering[name]
            leaving = asyncio.get_running_loop().create_task(self._say_for_all(name, gathering))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _say_for_all(self, name: str, gathering: Announcement) -> None:
        error: KeelError | None = None
        try:
            await self._client.run(name, *gathering.words())
        except KeelError as err:
            error = err
        except BaseException:
            error = Unreachable("the cache was not told", hint="the event loop ends")
            raise
        finally:
            gathering.land(error)
