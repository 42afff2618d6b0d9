"""What writers of one event loop say together: before COMMIT, and after it."""

import asyncio
from typing import TYPE_CHECKING, Any

from pgkeel.cache._colour.together import Look, Shared
from pgkeel.cache.announcing import INSTEAD, Said, in_a_script, packet_of
from pgkeel.cache.script import script
from pgkeel.cache.touched import Keys
from pgkeel.cache.wire import ReplyError, packed, refusal
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import KeelError, Unreachable

if TYPE_CHECKING:
    from pgkeel.cache._async.client import Client

__all__ = ["Crowd"]

_MANY, _FEW = 4, 2
_GATHER = 0.002
_LONGEST = 10.0
_MOST = 500


class Announcement(Shared):
    """What writers say in one packet.

    Attributes:
        said: It.
        is_leaving: Whether they leave in this turn of the loop.
        timer: What lets them leave at the latest.
    """

    __slots__ = ("_client", "_is_script", "is_leaving", "said", "timer")

    def __init__(self, client: "Client", loop: asyncio.AbstractEventLoop) -> None:
        """Say nothing yet."""
        super().__init__(loop)
        self._client = client
        self._is_script = False
        self.said: list[Said] = []
        self.is_leaving = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def command(self) -> bytes:
        """The commands; each is answered."""
        if self._is_script:
            keys, values = in_a_script(self.said)
            self.replies = 1
            return packed(("EVAL", script("say").text, len(keys), *keys, *values))
        packet, self.replies = packet_of(self.said)
        return packet

    def arrive(self, reply: Any) -> bool | None:  # noqa: ANN401 - any reply
        """Count the answers; False where all must be said again, by the script."""
        self.replies -= 1
        if type(reply) is ReplyError:
            self.failure = reply
        if self.replies:
            return None
        if self.failure is None:
            self.found = (None,)
        elif not self._is_script and str(self.failure).startswith(INSTEAD):
            self._is_script, self.failure = True, None
            return False
        return True

    def is_heard(self, received: bytes) -> bool:
        """Return whether these are all the answers, to the last byte, and no refusal: numbers and `+OK`."""
        if received.count(b"\n") != self.replies or b"-" in received:
            return False
        self.found = (None,)
        self.land()
        return True

    def error(self) -> KeelError:
        """Return why it was not heard; the client leaves a server that is not the one any more."""
        failure = self.failure
        return self._client.noted(refusal(failure)) if isinstance(failure, ReplyError) else super().error()


class Crowd:
    """Writers of this process: where many follow each other closely, they speak together, 2 ms later at most.

    Who speaks together is answered together, so that most come back together: as many as lately are worth waiting for.
    """

    __slots__ = ("_client", "_expected", "_gathering", "_is_crowd", "_leaving", "_under_way")

    def __init__(self, client: "Client") -> None:
        """Speak to this server."""
        self._client = client
        self._under_way: dict[bytes, float] = {}
        self._gathering: Announcement | None = None
        self._expected = 0
        self._is_crowd = False
        self._leaving: set[asyncio.Task[None]] = set()

    def tell(self, keys: Keys, who: bytes, *, is_over: bool) -> Look:
        """Mark rows and tags, or take the marks away; the server has done it when what is returned was awaited.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        gathering = self._gathering
        if is_over:
            is_crowd = self._is_crowd or len(self._under_way) >= _MANY
            self._under_way.pop(who, None)
        else:
            self._under_way[who] = monotonic()
            is_crowd = self._is_crowd or len(self._under_way) >= _MANY
        if not is_crowd:
            gathering = Announcement(self._client, asyncio.get_running_loop())
        elif gathering is None:
            gathering = self._gather()
        said = gathering.said
        said.append(Said(keys, who, is_over))
        look = Look(gathering, 0)
        gathering.looks.append(look)
        if not is_crowd:
            self._send(gathering)
        elif len(said) >= self._expected and not gathering.is_leaving:
            gathering.is_leaving = True
            gathering.loop.call_soon(self._leave, gathering)
        return look

    def _gather(self) -> Announcement:
        """Wait for others, 2 ms at most; count no write any more of which nobody knows how it ended."""
        loop = asyncio.get_running_loop()
        gathering = self._gathering = Announcement(self._client, loop)
        gathering.timer = loop.call_later(_GATHER, self._leave, gathering)
        now, oldest = monotonic(), next(iter(self._under_way), b"")
        if self._under_way.get(oldest, now) < now - _LONGEST:
            del self._under_way[oldest]
        return gathering

    def _leave(self, gathering: Announcement) -> None:
        """Let those who have gathered speak, once."""
        if self._gathering is gathering:
            self._gathering = None
            if gathering.timer is not None:
                gathering.timer.cancel()
            number = len(gathering.said)
            self._is_crowd = number >= _FEW
            self._expected = min(_MOST, max(number, self._expected - 1 - self._expected // 8))
            self._send(gathering)

    def _send(self, announcement: Announcement) -> None:
        link = self._client.link
        if link is not None and not link.is_closed:
            link.at_once(announcement)
            return
        leaving = announcement.loop.create_task(self._connect_and_send(announcement))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _connect_and_send(self, announcement: Announcement) -> None:
        failure: KeelError | None = Unreachable("the cache was not told", hint="the event loop ends")
        try:
            (await self._client.connected()).send(announcement)
            failure = None
        except KeelError as err:
            failure = err
        finally:
            if failure is not None:
                announcement.crash(failure)
