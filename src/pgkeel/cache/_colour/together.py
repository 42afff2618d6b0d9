"""What tasks of one event loop ask together, and how the answer wakes them."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextvars import Context
from typing import Any

import msgspec

from pgkeel.cache.entry import joined
from pgkeel.cache.wire import ReplyError, packed, refusal
from pgkeel.core.errors import KeelError

__all__ = ["Batch", "Look", "Shared"]

Seen = tuple[bytes | None, bytes | None]
"""A value, and the versions of what it depends on."""


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

    batch: "Shared"
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
            KeelError: It cannot be reached or used at all.
        """
        batch = self.batch
        if batch.found is None and batch.failure is None:
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


class Shared:
    """One command for several tasks.

    Attributes:
        near: Seconds for which this process keeps what comes at most; 0 is not at all.
        looks: Who waits for it.
        loop: Their loop.
        found: What came, or None while there is no answer.
        current: The versions that came beside it, or None when one is missing.
        failure: Why there is no answer.
        replies: How many answers it gets.
    """

    __slots__ = ("current", "failure", "found", "looks", "loop", "near", "replies")

    def __init__(self, loop: asyncio.AbstractEventLoop, near: float = 0.0) -> None:
        """Wait for nothing yet."""
        self.near = near
        self.looks: list[Look] = []
        self.loop = loop
        self.found: Sequence[bytes | None] | None = None
        self.current: bytes | None = None
        self.failure: KeelError | ReplyError | None = None
        self.replies = 1

    @property
    def command(self) -> bytes:
        """The command, or several; each is answered."""
        raise NotImplementedError

    def arrive(self, reply: Any) -> bool | None:  # noqa: ANN401 - any reply
        """Keep the answer; then `land` tells the tasks. None while more is to come, False where all must be sent again."""
        raise NotImplementedError

    def land(self) -> None:
        """Let the tasks go on, now; without a cycle that is left to the garbage collector."""
        looks, self.looks = self.looks, []
        for look in looks:
            wake, context = look.wake, look.context
            if wake is not None and context is not None:
                look.wake = None
                context.run(wake, look)

    def crash(self, failure: KeelError) -> None:
        """Tell each task that there is no answer."""
        self.failure = failure
        self.loop.call_soon(self.land)

    def error(self) -> KeelError:
        """Return why there is no answer, anew for each task."""
        failure = self.failure
        if isinstance(failure, KeelError):
            return type(failure)(failure.message, hint=failure.hint)
        return refusal(failure or ReplyError("nothing came"))


class Batch(Shared):
    """Values that tasks look for in one turn of the loop and that depend on the same keys: one MGET for all.

    Attributes:
        shared: The names of what they depend on.
        keys: Their names.
    """

    __slots__ = ("keys", "shared")

    def __init__(self, shared: Sequence[bytes], near: float, loop: asyncio.AbstractEventLoop) -> None:
        """Look for nothing yet."""
        super().__init__(loop, near)
        self.shared = shared
        self.keys: list[bytes] = []

    @property
    def command(self) -> bytes:
        """The command."""
        return packed(("MGET", *self.keys, *self.shared))

    def arrive(self, reply: Any) -> bool:  # noqa: ANN401 - any reply
        """Keep the answer."""
        if type(reply) is ReplyError:
            self.failure = reply
        else:
            self.found = reply
            self.current = joined(reply[len(self.keys) :])
        return True
