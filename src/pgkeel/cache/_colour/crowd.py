"""What writers of one event loop say together: before COMMIT, and after it."""

import asyncio
from typing import Any, ClassVar, Protocol

from pgkeel.cache._colour.asynchronous import Link
from pgkeel.cache._colour.door import Door
from pgkeel.cache._colour.together import Look, Shared
from pgkeel.cache.announcing import INSTEAD, Said, in_a_script, packet_of
from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.forms import ANSWERS, BEGUN, ENDED
from pgkeel.cache.names import DIGEST
from pgkeel.cache.script import script
from pgkeel.cache.touched import Keys, RowKeys
from pgkeel.cache.wire import ReplyError, packed, refusal
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import KeelError, Unreachable

__all__ = ["Crowd"]

_MANY, _FEW = 4, 2
_GATHER = 0.006
"""Longer than a tick of the processor (4 ms): a shorter one is set anew at each turn of the loop, as dear as a round trip."""
_LONGEST = 10.0
_MOST = 500


class Speaker(Protocol):
    """The client, as far as writers speak through it.

    Attributes:
        link: The connection, or None.
    """

    link: Link | None

    async def connected(self) -> Link:
        """Return the connection; open it where there is none."""
        ...

    def noted(self, refused: CommandRefused) -> CommandRefused:
        """Leave a server that says that it is not the one any more."""
        ...


class Announcement(Shared):
    """What writers say in one packet.

    Attributes:
        said: It.
        is_leaving: Whether they leave in this turn of the loop.
        timer: What lets them leave at the latest.
    """

    __slots__ = ("_brief", "_client", "_is_script", "is_leaving", "said", "timer")

    def __init__(self, client: Speaker, loop: asyncio.AbstractEventLoop, brief: bytes | None = None) -> None:
        """Say nothing yet; `brief` is one command to begin with, after which all is said where its answer is not 1."""
        super().__init__(loop)
        self._client = client
        self._brief = brief
        self._is_script = False
        self.said: list[Said] = []
        self.is_leaving = False
        self.timer: asyncio.TimerHandle | None = None

    def join(self, said: Said) -> Look:
        """Return the wait of one more writer."""
        self.said.append(said)
        look = Look(self, 0)
        self.looks.append(look)
        return look

    @property
    def command(self) -> bytes:
        """The commands; each is answered."""
        if self._brief is not None:
            self.replies = 1
            return self._brief
        if self._is_script:
            keys, values = in_a_script(self.said)
            self.replies = 1
            return packed(("EVAL", script("say").text, len(keys), *keys, *values))
        packet, self.replies = packet_of(self.said)
        return packet

    def arrive(self, reply: Any) -> bool | None:  # noqa: ANN401 - any reply
        """Count the answers; False where all must be said again: whole, or by the script."""
        self.replies -= 1
        if self._brief is not None and reply != 1:
            self._brief = None
            return False
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

    def error(self) -> KeelError:
        """Return why it was not heard; the client leaves a server that is not the one any more."""
        failure = self.failure
        return self._client.noted(refusal(failure)) if isinstance(failure, ReplyError) else super().error()


def _brief_of(said: Said) -> bytes | None:
    """Return what takes the mark of one row away, where that is all that is said."""
    keys = said.keys
    return keys.forms.end % said.who if said.is_over and isinstance(keys, RowKeys) else None


class Heard:
    """A wait that is over before it begins."""

    __await__: ClassVar[Any] = ().__iter__  # without a call of Python


HEARD = Heard()


class Crowd:
    """Writers of this process: where many follow each other closely, they speak together, 6 ms later at most.

    Who speaks together is answered together, so that most come back together: as many as lately are worth waiting for.
    """

    __slots__ = ("_client", "_expected", "_gathering", "_is_crowd", "_leaving", "_under_way")

    def __init__(self, client: Speaker) -> None:
        """Speak to this server."""
        self._client = client
        self._under_way: dict[bytes, float] = {}
        self._gathering: Announcement | None = None
        self._expected = 0
        self._is_crowd = False
        self._leaving: set[asyncio.Task[None]] = set()

    def begin(self, keys: Keys | RowKeys, who: bytes) -> "Look | Heard":
        """Mark rows and tags; the server has done it when what is returned was awaited.

        Of one row alone, which is what most writes say, it is said in the fewest steps: each costs more than where it is warm.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        under_way, link = self._under_way, self._client.link
        under_way[who] = asked = monotonic()
        if self._is_crowd or len(under_way) >= _MANY:
            return self._together(Said(keys, who, is_over=False))
        if link is None or link.owed or (door := link.door) is None:
            return self._alone(Said(keys, who, is_over=False))
        if isinstance(keys, Keys):
            return self._at_the_door(link, door, Said(keys, who, is_over=False))
        row = keys.row
        packet = keys.forms.begin % (who, row[-DIGEST:], row, who)
        sent, received = door.ask(packet, asked)
        if received in BEGUN:
            return HEARD
        return self._asked(link, Said(keys, who, is_over=False), packet[sent:], received, ANSWERS if sent else 0)

    def end(self, keys: Keys | RowKeys, who: bytes) -> "Look | Heard":
        """Take the marks away; otherwise as `begin`.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        under_way, link = self._under_way, self._client.link
        is_crowd = self._is_crowd or len(under_way) >= _MANY
        under_way.pop(who, None)
        if is_crowd:
            return self._together(Said(keys, who, is_over=True))
        if link is None or link.owed or (door := link.door) is None:
            return self._alone(Said(keys, who, is_over=True))
        if isinstance(keys, Keys):
            return self._at_the_door(link, door, Said(keys, who, is_over=True))
        packet = keys.forms.end % who
        sent, received = door.ask(packet, monotonic())
        if received == ENDED:
            return HEARD
        return self._asked(link, Said(keys, who, is_over=True), packet[sent:], received, 1 if sent else 0)

    def _at_the_door(self, link: Link, door: Door, said: Said) -> "Look | Heard":
        """Say what is of several rows or tags."""
        packet, replies = packet_of((said,))
        sent, received = door.ask(packet, monotonic())
        if received.count(b"\n") == replies and b"-" not in received and b">" not in received:
            return HEARD  # so many answers to the last byte, all of them numbers or `+OK`, and no message beside them
        return self._asked(link, said, packet[sent:], received, replies if sent else 0)

    def _asked(self, link: Link, said: Said, rest: bytes, received: bytes, replies: int) -> Look:
        """Wait for what was asked at the door, if it was."""
        if not replies:
            return self._alone(said)
        announcement = Announcement(self._client, link.loop, _brief_of(said))
        announcement.replies = replies
        look = announcement.join(said)
        link.take_over(announcement, rest, received)
        return look

    def _alone(self, said: Said) -> Look:
        """Say it behind what others ask."""
        announcement = Announcement(self._client, asyncio.get_running_loop(), _brief_of(said))
        look = announcement.join(said)
        self._send(announcement)
        return look

    def _together(self, said: Said) -> Look:
        """Say it with others."""
        gathering = self._gathering or self._gather()
        look = gathering.join(said)
        if len(gathering.said) >= self._expected and not gathering.is_leaving:
            gathering.is_leaving = True
            gathering.loop.call_soon(self._leave, gathering)
        return look

    def _gather(self) -> Announcement:
        """Wait for others, 6 ms at most; count no write any more of which nobody knows how it ended."""
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
            link.send(announcement)
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
