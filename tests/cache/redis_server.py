"""Debian's redis-server 7, where it is installed: TLS, and a server without IFEQ."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgkeel.cache.sync import Client
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret
from tests.ports import own_port

PROGRAM = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="no redis-server is installed (apt install redis-server)")


class RedisServer:
    """One server on a port of its own; what it holds is gone when it ends."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self.port, self.tls_port = own_port(), own_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self) -> CacheUrl:
        return CacheUrl(port=self.port, password=Secret("of the tests"))

    def start(self) -> None:
        plain = ["--port", str(self.port), "--save", "", "--requirepass", "of the tests", "--bind", "127.0.0.1"]
        limits = ["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru", "--dir", str(self._folder)]
        self._process = subprocess.Popen([str(PROGRAM), *plain, *limits, *self._options], stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.ask("PING")
            except Unreachable:
                time.sleep(0.05)
            else:
                return

    def ask(self, *words: str) -> None:
        client = Client(self.url())
        try:
            client.call(*words)
        finally:
            client.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
