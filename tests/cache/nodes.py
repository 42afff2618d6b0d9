"""Servers that know each other: a primary with its replica under a Sentinel, and a cluster of three."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from pgkeel.core import clock
from pgkeel.core.cache_url import CacheUrl
from pgkeel.local.wheels import valkey_program
from pgkeel.security.tls import Authority, ensure_authority, ensure_certificate, key_pem, pem
from tests.ports import BUS, own_port

PASSWORD = "of-the-nodes"
_FILES = {"cert": "server.crt", "key": "server.key", "client-cert": "client.crt", "client-key": "client.key"}
PROGRAM = valkey_program() or shutil.which("redis-server")


class Guard(msgspec.Struct, frozen=True):
    """TLS and an ACL: who logs in is `app`, with a password; nobody else may.

    Attributes:
        program: A server that was built with TLS.
        authority: File of the certificate that signs the servers'.
        lines: What each server's configuration says of it.
    """

    program: str
    authority: Path
    lines: list[str]

    @classmethod
    def made(cls, program: str, folder: Path) -> "Guard":
        signer = ensure_authority(folder / "authority.crt", folder / "authority.key")
        ensure_certificate(signer, folder / "server.crt", folder / "server.key")
        _write_client_certificate(signer, folder)  # the bus of a cluster asks for one
        files = [f"tls-{what}-file {folder / name}" for what, name in _FILES.items()]
        tls = [*files, f"tls-ca-cert-file {folder / 'authority.crt'}", "tls-auth-clients no", "tls-replication yes"]
        return cls(program, folder / "authority.crt", [*tls, "user default off", f"user app on >{PASSWORD} ~* &* +@all"])

    def url(self, text: str, via: str) -> CacheUrl:
        return CacheUrl.parse(f"rediss+{via}://app:{PASSWORD}@{text}?authority={self.authority}")

    def door(self, door: socket.socket) -> socket.socket:
        """A socket on which somebody has logged in."""
        door = ssl.create_default_context(cafile=str(self.authority)).wrap_socket(door, server_hostname="127.0.0.1")
        door.sendall(packed("AUTH", "app", PASSWORD))
        door.recv(65536)
        return door


class Node:
    """One server in the foreground; what it holds is gone when it ends."""

    def __init__(
        self, folder: Path, lines: list[str], *options: str, env: dict[str, str] | None = None, guard: Guard | None = None
    ) -> None:
        self.port = own_port(BUS)
        self._guard = guard
        folder.mkdir()
        file = folder / "server.conf"
        own = [f"port {self.port}"] if guard is None else ["port 0", f"tls-port {self.port}", *guard.lines]
        file.write_text("\n".join([*own, "bind 127.0.0.1", f"dir {folder}", *lines]) + "\n", encoding="utf-8")
        program = str(guard.program if guard else PROGRAM)
        self._process = subprocess.Popen([program, str(file), *options], stdout=subprocess.DEVNULL, env=env)

    def ask(self, *words: str | int) -> Any:
        """The reply to one command, of a replica or a Sentinel too."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain:
            door = self._guard.door(plain) if self._guard else plain
            with door:
                door.sendall(packed(*words))
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


def _write_client_certificate(signer: Authority, folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), clock.now()
    signed = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")]))
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .sign(signer.key, SHA256())
    )
    (folder / "client.crt").write_bytes(pem(signed))
    (folder / "client.key").write_bytes(key_pem(key))


def packed(*words: str | int) -> bytes:
    words_of = [str(word).encode() for word in words]
    return b"".join([b"*%d\r\n" % len(words_of), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words_of)])


def until(is_so: Callable[[], bool], tries: int = 600) -> None:
    for _ in range(tries):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError


@contextmanager
def watched_pair(folder: Path, guard: Guard | None = None) -> Iterator[tuple[CacheUrl, Node, Node]]:
    """A primary, its replica, and the address of their Sentinel."""
    login = ["masteruser app", f"masterauth {PASSWORD}"] if guard else []
    cache = ['save ""', "maxmemory-policy noeviction", "repl-diskless-sync-delay 0", *login]
    nodes = [Node(folder / "primary", cache, guard=guard)]
    try:
        until(lambda: nodes[0].answers(b"PONG", "PING"))
        nodes.append(Node(folder / "replica", [*cache, f"replicaof 127.0.0.1 {nodes[0].port}"], guard=guard))
        until(lambda: nodes[1].answers(b"master_link_status:up", "INFO", "replication"))
        watch = [f"sentinel monitor keel 127.0.0.1 {nodes[0].port} 1", "sentinel down-after-milliseconds keel 300"]
        watch += ["sentinel failover-timeout keel 2000"]
        watch += ["sentinel auth-user keel app", f"sentinel auth-pass keel {PASSWORD}"] if guard else []
        nodes.append(Node(folder / "sentinel", watch, "--sentinel", guard=guard))
        until(lambda: nodes[2].answers(str(nodes[1].port).encode(), "SENTINEL", "REPLICAS", "keel"))
        places = f"127.0.0.1:1,127.0.0.1:{nodes[2].port}/keel/0"
        yield guard.url(places, "sentinel") if guard else CacheUrl.parse(f"redis+sentinel://{places}"), nodes[0], nodes[1]
    finally:
        for node in nodes:
            node.kill()


@contextmanager
def cluster(folder: Path, key: str, guard: Guard | None = None) -> Iterator[tuple[CacheUrl, list[Node]]]:
    """Three primaries; the first has the slot of a key, and the fourth node is its replica."""
    lines = ['save ""', "cluster-enabled yes", "cluster-node-timeout 500", "cluster-require-full-coverage no"]
    lines += ["tls-cluster yes", "masteruser app", f"masterauth {PASSWORD}"] if guard else []
    nodes = [Node(folder / f"node{number}", lines, guard=guard) for number in range(4)]
    try:
        for node in nodes:
            node.comes_to(b"PONG", "PING")
        slot = int(nodes[0].ask("CLUSTER", "KEYSLOT", key)[1:])
        others = [(0, slot - 1), (slot + 2, 16383)]
        for node, (first, last) in zip(nodes, [(slot, slot + 1), *others], strict=False):  # who has none left becomes a replica
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for number, node in enumerate(nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        until(lambda: introduced(nodes), tries=10)
        until(lambda: nodes[3].answers(b"+OK", "CLUSTER", "REPLICATE", name_of(nodes[0])))
        until(lambda: nodes[3].answers(b"master_link_status:up", "INFO", "replication"))
        for node in nodes:
            node.comes_to(b"cluster_state:ok", "CLUSTER", "INFO")
        places = f"127.0.0.1:{nodes[1].port},127.0.0.1:{nodes[2].port}"
        yield guard.url(places, "cluster") if guard else CacheUrl.parse(f"redis+cluster://{places}"), nodes
    finally:
        for node in nodes:
            node.kill()


def introduced(nodes: list[Node]) -> bool:
    """Let all know all, and return whether they do: on a busy machine a handshake may not end before it is forgotten."""
    for node in nodes[1:]:
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port)
    with suppress(AssertionError):
        until(lambda: all(node.answers(b"cluster_known_nodes:4", "CLUSTER", "INFO") for node in nodes), tries=100)
        return True
    return False


def name_of(node: Node) -> str:
    return str(node.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode())
