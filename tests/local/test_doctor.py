import os
import socket
from pathlib import Path

import pytest

from pgkeel.local.doctor import Fact, Wish, examine


def found(wish: Wish) -> dict[str, Fact]:
    return {fact.name: fact for fact in examine(wish)}


def test_a_machine_that_runs_these_tests_is_fine(tmp_path: Path) -> None:
    facts = found(Wish(tmp_path / ".pgkeel", ports={"local.port": 0}))

    assert [fact for fact in facts.values() if not fact.is_fine] == []
    assert facts["PostgreSQL"].value.startswith("17.")
    assert facts["local.port"].value == "a free port is chosen"


def test_a_busy_port_is_found_unless_it_is_the_stacks_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        busy = found(Wish(tmp_path, ports={"local.port": port}))["local.port"]
        own = found(Wish(tmp_path, ports={"local.port": port}, own_ports=(port,)))["local.port"]

    assert (busy.is_fine, own.is_fine) == (False, True)
    assert "local.port" in busy.hint


def test_an_environment_without_home_and_user_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("USER", raising=False)

    fact = found(Wish(tmp_path))["environment"]

    assert (fact.is_fine, fact.value) == (True, "without HOME and USER, which is fine")


def test_a_release_that_is_not_here_is_found_missing(tmp_path: Path) -> None:
    fact = found(Wish(tmp_path, postgres="18", folder=tmp_path))["PostgreSQL"]

    assert not fact.is_fine
    assert "pgkeel local add 18" in fact.hint


@pytest.mark.skipif(os.getuid() != 0, reason="root alone has a choice")
def test_an_account_that_does_not_exist_is_found(tmp_path: Path) -> None:
    fact = found(Wish(tmp_path, run_as="no-such-account"))["account"]

    assert not fact.is_fine
    assert "no-such-account" in fact.value
