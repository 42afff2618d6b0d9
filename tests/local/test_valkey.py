import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.core.secret import Secret
from pgkeel.local import Account, PortBusy, Valkey
from pgkeel.local.ports import choose_port
from tests.ports import listened_before


@pytest.fixture
def valkey(place: Path, account: Account) -> Iterator[Valkey]:
    server = Valkey.create(place / "valkey", account=account, password=Secret("streng-geheim"))
    yield server
    server.destroy()


def raw(port: int, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as door:
        door.sendall(command)
        return door.recv(4096)


def test_valkey_answers_its_own_user_and_nobody_else(valkey: Valkey) -> None:
    with valkey:
        assert valkey.ask("SET", "key", "value") == b"+OK\r\n"
        assert valkey.ask("GET", "key") == b"$5\r\nvalue\r\n"
        assert raw(valkey.port, b"PING\r\n").startswith(b"-NOAUTH")
        assert raw(valkey.port, b"AUTH default x\r\n").startswith(b"-WRONGPASS")
        assert valkey.ask("CONFIG", "GET", "dir").startswith(b"-NOPERM")


def test_valkeys_address_prints_without_its_password(valkey: Valkey) -> None:
    assert "streng-geheim" not in f"{valkey.url()} {valkey.url()!r}"
    assert "streng-geheim" in valkey.url().reveal()


def test_valkeys_files_hold_no_password(valkey: Valkey) -> None:
    with valkey:
        files = [file for file in valkey.plan.directory.rglob("*") if file.is_file()]
        assert not [file for file in files if b"streng-geheim" in file.read_bytes()]
        assert (valkey.plan.directory / "valkey.conf").stat().st_mode & 0o777 == 0o600


def test_a_killed_valkey_is_started_again_on_its_port(valkey: Valkey) -> None:
    with listened_before(valkey):
        port = valkey.port
        valkey.kill()
        assert not valkey.is_running
        valkey.start()
        assert (valkey.is_running, valkey.port) == (True, port)


def test_a_busy_configured_port_is_an_error(place: Path, account: Account) -> None:
    port = choose_port()
    server = Valkey.create(place / "busy", account=account, password=Secret("x"), port=port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortBusy, match=str(port)):
        server.start()
