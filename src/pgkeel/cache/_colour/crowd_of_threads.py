"""What the writers of one process say where each is a thread."""

from collections.abc import Sequence
from typing import Protocol

from pgkeel.cache._colour.threaded import Link
from pgkeel.cache.announcing import INSTEAD, Said, in_a_script, packet_of
from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.touched import Keys, RowKeys
from pgkeel.cache.wire import ReplyError, Word, refusal

__all__ = ["Crowd"]


class Speaker(Protocol):
    """The client, as far as writers speak through it.

    Attributes:
        link: The connection, or None.
    """

    link: Link | None

    def connected(self) -> Link:
        """Return the connection; open it where there is none."""
        ...

    def noted(self, refused: CommandRefused) -> CommandRefused:
        """Leave a server that says that it is not the one any more."""
        ...

    def run(self, name: str, keys: Sequence[bytes], *values: Word) -> object:
        """Return what one of our Lua scripts returns."""
        ...


class Crowd:
    """Writers of this process; threads do not wait for each other."""

    def __init__(self, client: Speaker) -> None:
        """Speak to this server."""
        self._client = client

    def begin(self, keys: Keys | RowKeys, who: bytes) -> None:
        """Mark rows and tags.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        self.say([Said(keys, who, is_over=False)])

    def end(self, keys: Keys | RowKeys, who: bytes) -> None:
        """Take the marks away; raises what `begin` raises."""
        self.say([Said(keys, who, is_over=True)])

    def say(self, said: Sequence[Said]) -> None:
        """Say what may be of several writers.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        link = self._client.link
        if link is None or link.is_closed:
            link = self._client.connected()
        refused = [reply for reply in link.send(*packet_of(said)) if type(reply) is ReplyError]
        if refused and str(refused[-1]).startswith(INSTEAD):
            keys, values = in_a_script(said)
            self._client.run("say", keys, *values)
        elif refused:
            raise self._client.noted(refusal(refused[-1]))
