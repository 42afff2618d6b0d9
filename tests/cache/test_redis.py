"""Debian's redis-server 7: TLS, and everything without IFEQ and DELIFEQ."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cache import Cache
from pgkeel.core.errors import Unreachable
from pgkeel.security.tls import ensure_authority, ensure_certificate
from tests.cache.conftest import SECRET, trust
from tests.cache.redis_server import RedisServer, needs_redis, redis_server
from tests.cache.table import touch, users

pytestmark = needs_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    signer = ensure_authority(tmp_path / "authority.crt", tmp_path / "authority.key")
    ensure_certificate(signer, tmp_path / "server.crt", tmp_path / "server.key")
    files = [f"--tls-{what}-file" for what in ("cert", "key")], [str(tmp_path / f"server.{end}") for end in ("crt", "key")]
    options = [word for pair in zip(*files, strict=True) for word in pair]
    with redis_server(tmp_path, *options, "--tls-ca-cert-file", str(tmp_path / "authority.crt")) as server:
        yield server


async def test_the_protocol_holds_on_redis_7(server: RedisServer) -> None:
    async with Cache(server.url(), secret=SECRET) as cache:
        await trust(cache)
        table = users(cache, near=True)
        assert [await table.read() for _ in range(3)] == ["ada"] * 3
        assert table.asked == 1
        async with touch(cache, table):
            table.name = "grace"
        assert [await table.read() for _ in range(2)] == ["grace"] * 2
        assert cache.client.server is not None
        assert not cache.client.server.can_compare


async def test_tls_is_spoken_and_verified(server: RedisServer, tmp_path: Path) -> None:
    server.ask("CONFIG", "SET", "tls-auth-clients", "no", "tls-port", str(server.tls_port))
    url: Any = msgspec.structs.replace(
        server.url(), host="localhost", port=server.tls_port, is_tls=True, authority=str(tmp_path / "authority.crt")
    )
    async with Cache(url, secret=SECRET) as cache:
        await trust(cache)
        table = users(cache)
        assert [await table.read() for _ in range(2)] == ["ada"] * 2
        assert table.asked == 1
    stranger = Cache(msgspec.structs.replace(url, authority=""), secret=SECRET)
    with pytest.raises(Unreachable):
        await stranger.client.open()
