"""Certificates as they grow old: renewed, replaced with an overlap, killed at every step."""

from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.core import clock
from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.security import tls_renewal
from pgkeel.security.tls_renewal import NotAnnounced, TlsFolder, announce, certificates, init, keep, renew, retire, switch
from tests.security.test_tls import greet


@pytest.fixture
def folder(tmp_path: Path) -> TlsFolder:
    """A folder with an authority and a server certificate."""
    made = TlsFolder(tmp_path / "authority.crt", tmp_path)
    init(made)
    return made


def names(folder: TlsFolder) -> list[str]:
    return [one.name for one in certificates(folder)]


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_a_renewed_certificate_is_another_one_for_the_same_hosts(folder: TlsFolder) -> None:
    before, hosts = folder.certificate.read_bytes(), certificates(folder)[-1].sans

    renew(folder)

    assert folder.certificate.read_bytes() != before
    assert certificates(folder)[-1].sans == hosts
    greet(folder.secrets, "localhost")


def test_a_certificate_is_made_for_the_hosts_that_are_named(tmp_path: Path) -> None:
    made = TlsFolder(tmp_path / "authority.crt", tmp_path)

    init(made, ["db.example.com", "10.1.2.3"])

    assert certificates(made)[-1].sans == ("db.example.com", "10.1.2.3")
    greet(tmp_path, "db.example.com")


@pytest.mark.parametrize("host", ["", "two words", "http://x", "a..b", "ü.example", "x" * 254])
def test_what_is_no_host_is_refused_and_nothing_written(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="neither a host name nor an address"):
        init(TlsFolder(tmp_path / "authority.crt", tmp_path), [host])

    assert list(tmp_path.iterdir()) == []


def test_a_client_that_read_the_file_at_any_step_verifies_the_server_at_that_step_and_the_next(folder: TlsFolder) -> None:
    trusted = [folder.authority.read_bytes()]
    for step in (announce, switch, retire):
        step(folder)
        for known in (trusted[-1], folder.authority.read_bytes()):
            (folder.secrets / "client").mkdir(exist_ok=True)
            for name in ("server.crt", "server.key"):
                (folder.secrets / "client" / name).write_bytes((folder.secrets / name).read_bytes())
            if step is not switch or known != trusted[0]:
                (folder.secrets / "client" / "authority.crt").write_bytes(known)
                greet(folder.secrets / "client", "localhost")
        trusted.append(folder.authority.read_bytes())

    assert names(folder) == ["authority", "server"]


def test_the_file_tells_which_authority_signs(folder: TlsFolder) -> None:
    announce(folder)
    announced = names(folder)
    switch(folder)

    assert announced == ["authority", "next authority", "server"]
    assert names(folder) == ["old authority", "authority", "server"]


def test_each_step_done_again_changes_nothing(folder: TlsFolder) -> None:
    announce(folder)
    before = folder.authority.read_bytes()
    announce(folder)
    assert folder.authority.read_bytes() == before
    switch(folder)
    retire(folder)
    before = folder.authority.read_bytes()

    retire(folder)

    assert folder.authority.read_bytes() == before


def test_nobody_switches_to_what_clients_do_not_know(folder: TlsFolder) -> None:
    with pytest.raises(NotAnnounced):
        switch(folder)

    assert names(folder) == ["authority", "server"]


def test_a_kill_at_any_write_of_a_switch_leaves_what_verifies_and_is_finished_by_the_next_call(
    folder: TlsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(folder)
    (folder.secrets / "client").mkdir()
    real = write_whole

    def killed(path: Path, content: bytes, **mode: int) -> None:
        real(path, content, **mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(tls_renewal, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        switch(folder)
    monkeypatch.setattr(tls_renewal, "write_whole", real)
    greet(folder.secrets, "localhost")

    keep(folder)

    greet(folder.secrets, "localhost")
    assert "authority" in names(folder)


def test_time_alone_announces_and_switches(folder: TlsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, 3650 - 119)
    keep(folder)
    announced = names(folder)
    later(monkeypatch, 60)

    assert keep(folder)

    assert announced == ["authority", "next authority", "server"]
    assert names(folder) == ["old authority", "authority", "server"]
    assert not keep(folder)
