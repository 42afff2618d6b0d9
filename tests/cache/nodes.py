"""Servers that know each other: a primary with its replica under a Sentinel, and a cluster of three."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pgkeel.core.cache_url import CacheUrl
from pgkeel.local.wheels import valkey_program

PROGRAM = valkey_program() or shutil.which("redis-server")


class Node:
    """One server in the foreground; what it holds is gone when it ends."""

    def __init__(self, folder: Path, lines: list[str], *options: str, env: dict[str, str] | None = None) -> None:
        self.port = free_port()
        folder.mkdir()
        file = folder / "server.conf"
        file.write_text("\n".join([f"port {self.port}", "bind 127.0.0.1", f"dir {folder}", *lines]) + "\n", encoding="utf-8")
        self._process = subprocess.Popen([str(PROGRAM), str(file), *options], stdout=subprocess.DEVNULL, env=env)

    def ask(self, *words: str | int) -> Any:
        """The reply to one command, of a replica or a Sentinel too."""
        words_of = [str(word).encode() for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as door:
            door.sendall(b"".join([b"*%d\r\n" % len(words_of), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words_of)]))
            return door.recv(65536)

    def answers(self, wanted: bytes, *words: str | int) -> bool:
        with suppress(OSError):
            return wanted in self.ask(*words)
        return False

    def comes_to(self, wanted: bytes, *words: str | int) -> None:
        until(lambda: self.answers(wanted, *words))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """A port for which the one of the cluster bus, 10000 above, exists too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = int(door.getsockname()[1])
        if port < 55_000:
            return port


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError


@contextmanager
def watched_pair(folder: Path) -> Iterator[tuple[CacheUrl, Node, Node]]:
    """A primary, its replica, and the address of their Sentinel."""
    cache = ['save ""', "maxmemory-policy noeviction", "repl-diskless-sync-delay 0"]
    nodes = [Node(folder / "primary", cache)]
    try:
        until(lambda: nodes[0].answers(b"PONG", "PING"))
        nodes.append(Node(folder / "replica", [*cache, f"replicaof 127.0.0.1 {nodes[0].port}"]))
        until(lambda: nodes[1].answers(b"master_link_status:up", "INFO", "replication"))
        watch = [f"sentinel monitor keel 127.0.0.1 {nodes[0].port} 1", "sentinel down-after-milliseconds keel 300"]
        nodes.append(Node(folder / "sentinel", [*watch, "sentinel failover-timeout keel 2000"], "--sentinel"))
        until(lambda: nodes[2].answers(str(nodes[1].port).encode(), "SENTINEL", "REPLICAS", "keel"))
        yield CacheUrl.parse(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{nodes[2].port}/keel/0"), nodes[0], nodes[1]
    finally:
        for node in nodes:
            node.kill()


@contextmanager
def cluster(folder: Path, key: str) -> Iterator[tuple[CacheUrl, list[Node]]]:
    """Three primaries; the first has the slot of a key, and the fourth node is its replica."""
    lines = ['save ""', "cluster-enabled yes", "cluster-node-timeout 500", "cluster-require-full-coverage no"]
    nodes = [Node(folder / f"node{number}", lines) for number in range(4)]
    try:
        for node in nodes:
            node.comes_to(b"PONG", "PING")
        slot = int(nodes[0].ask("CLUSTER", "KEYSLOT", key)[1:])
        others = [(0, slot - 1), (slot + 2, 16383)]
        for node, (first, last) in zip(nodes, [(slot, slot + 1), *others], strict=False):  # who has none left becomes a replica
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for number, node in enumerate(nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port)
        for node in nodes:
            node.comes_to(b"cluster_known_nodes:4", "CLUSTER", "INFO")
        until(lambda: nodes[3].answers(b"+OK", "CLUSTER", "REPLICATE", name_of(nodes[0])))
        until(lambda: nodes[3].answers(b"master_link_status:up", "INFO", "replication"))
        for node in nodes:
            node.comes_to(b"cluster_state:ok", "CLUSTER", "INFO")
        yield CacheUrl.parse(f"redis+cluster://127.0.0.1:{nodes[1].port},127.0.0.1:{nodes[2].port}"), nodes
    finally:
        for node in nodes:
            node.kill()


def name_of(node: Node) -> str:
    return str(node.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode())
