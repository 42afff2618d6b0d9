"""Ports for servers that tests start: no other test has them, no stack chooses them and no outgoing connection gets them.

What was chosen by looking what is free is anybody's until it is listened on.
"""

import random
import socket
from typing import TypeVar

import msgspec

from pgkeel.local import Cluster, Valkey
from pgkeel.local.plan import Memory
from pgkeel.local.ports import is_free

__all__ = ["BUS", "listened_before", "own_port"]

Server = TypeVar("Server", Cluster, Valkey)
BUS = 10_000
"""How far above its port the bus of a cluster's node listens."""

_LOWEST, _COUNT = 4000, 6000  # they and those of the bus lie below the ports that stacks choose
_held: list[socket.socket] = []


def own_port(*above: int) -> int:
    """Return a port that is free, as are those as far above it, and stays this process's until it ends.

    A datagram socket of the same number says so to the other processes: it is in no server's way.
    """
    while True:
        port = _LOWEST + random.randrange(_COUNT)
        if all(_hold(one) for one in (port, *(port + far for far in above))):
            return port


def listened_before(server: Server) -> Server:
    """Let a server that never ran remember a port of its own: one that it chose may be another's while it does not run."""
    file = server.plan.directory / ("cluster.json" if isinstance(server, Cluster) else "valkey.json")
    file.write_bytes(msgspec.json.encode(Memory(own_port())))
    return server


def _hold(port: int) -> bool:
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        door.bind(("127.0.0.1", port))
    except OSError:
        door.close()
        return False
    _held.append(door)
    return is_free(port)
