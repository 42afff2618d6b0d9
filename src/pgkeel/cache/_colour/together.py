"""What tasks of one event loop do together: ask, and announce."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

import msgspec

from pgkeel.cache.entry import fresh, joined
from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.script import script
from pgkeel.cache.wire import ReplyError, Word, packed, refusal
from pgkeel.core.errors import KeelError, Unreachable

if TYPE_CHECKING:
    from pgkeel.cache._async.client import Client

__all__ = ["Batch", "Crowd", "Look"]

Seen = tuple[bytes | None, bytes | None]
"""A value, and the versions of what it depends on."""

_MANY = 4
_GATHER = 0.001
_LONGEST = 10.0
_MOST = 500


class Look(msgspec.Struct, eq=False):
    """A task's wait for one value of a batch.

    It speaks the protocol by which a task waits for anything (`asyncio.isfuture`), so that the reply wakes the task where it
    arrives: a future of asyncio's takes another turn of the loop, and about as much time as the rest of a read.

    Attributes:
        batch: The batch.
        place: The value's place in it.
        wake: How the task is woken, once; None before it waits, and after.
        context: In which context.
        is_cancelled: Whether it was woken for nothing.
    """

    batch: "Batch"
    place: int
    wake: "Callable[[Look], object] | None" = None
    context: Context | None = None
    is_cancelled: bool = False
    _asyncio_future_blocking: bool = False

    def __await__(self) -> "Generator[Look, None, Seen]":
        """Return the value, and the versions that lie beside it.

        Raises:
            Unreachable: The connection ended or hangs.
            CommandRefused: The server refused.
        """
        batch = self.batch
        if batch.found is None:
            self._asyncio_future_blocking = True
            yield self
        if batch.found is None:
            raise batch.error()
        return batch.found[self.place], batch.current

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the task."""
        return self.batch.loop

    def add_done_callback(self, wake: "Callable[[Look], object]", *, context: Context) -> None:
        """Be told how to wake the task."""
        self.wake, self.context = wake, context

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - the task keeps it
        """Wake the task for nothing; return whether it was not too late."""
        wake, self.wake = self.wake, None
        if wake is None:
            return False
        self.is_cancelled = True
        self.batch.loop.call_soon(wake, self, context=self.context)
        return True

    def result(self) -> None:
        """Tell the task that it goes on, or that it was cancelled."""
        if self.is_cancelled:
            raise asyncio.CancelledError


class Batch:
    """Values that tasks look for in one turn of the loop and that depend on the same keys: one MGET for all.

    Attributes:
        near: Seconds for which this process keeps them at most; 0 is not at all.
        shared: The names of what they depend on.
        keys: Their names.
        looks: Who waits for them.
        loop: Whose turn it is.
        found: What lies there, or None while there is no answer.
        current: The versions of what they depend on, or None when one is missing.
    """

    __slots__ = ("_failure", "current", "found", "keys", "looks", "loop", "near", "shared")

    def __init__(self, shared: Sequence[bytes], near: float, loop: asyncio.AbstractEventLoop) -> None:
        """Look for nothing yet."""
        self.shared = shared
        self.near = near
        self.loop = loop
        self.keys: list[bytes] = []
        self.looks: list[Look] = []
        self.found: Sequence[bytes | None] | None = None
        self.current: bytes | None = None
        self._failure: Unreachable | ReplyError | None = None

    @property
    def command(self) -> bytes:
        """The command."""
        return packed(("MGET", *self.keys, *self.shared))

    def arrive(self, reply: Any) -> None:  # noqa: ANN401 - any reply
        """Keep the answer; `land` tells the tasks."""
        if type(reply) is ReplyError:
            self._failure = reply
        else:
            self.found = reply
            self.current = joined(reply[len(self.keys) :])

    def land(self) -> None:
        """Let the tasks go on, now."""
        for look in self.looks:
            wake, context = look.wake, look.context
            if wake is not None and context is not None:
                look.wake = None
                context.run(wake, look)

    def crash(self, failure: Unreachable) -> None:
        """Tell each task that there is no answer."""
        self._failure = failure
        self.loop.call_soon(self.land)

    def error(self) -> Unreachable | CommandRefused:
        """Return why there is no answer, anew for each task."""
        failure = self._failure
        if isinstance(failure, Unreachable):
            return Unreachable(failure.message, hint=failure.hint)
        return refusal(failure)


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
