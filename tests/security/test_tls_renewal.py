"""Certificates as they grow old: renewed, replaced with an overlap, killed at every step."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from pgkeel.core import clock
from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.security import tls_renewal
from pgkeel.security.tls import key_pem, new_authority
from pgkeel.security.tls_renewal import (
    NoAuthorityKey,
    NotAnnounced,
    TlsFolder,
    announce,
    certificates,
    init,
    keep,
    renew,
    retire,
    switch,
)
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


def test_a_host_may_be_longer_than_the_name_of_a_subject(tmp_path: Path) -> None:
    made, host = TlsFolder(tmp_path / "authority.crt", tmp_path), f"{'a' * 40}.abcdefghij.eu-central-1.rds.example.com"

    init(made, [host])

    assert certificates(made)[-1].sans == (host,)
    greet(tmp_path, host)


@pytest.mark.parametrize(
    "host", ["", "two words", "http://x", "a..b", "ü.example", "x" * 254, "x" * 64, "-x.example", "fe80::1%eth0", "10.0.0.1:5432"]
)
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

    def killed(path: Path, content: bytes, *, mode: int = 0o600) -> None:
        real(path, content, mode=mode)
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


def damage_key(file: Path, damage: str) -> None:
    key = load_pem_private_key(file.read_bytes(), password=None)
    match damage:
        case "put away":
            file.unlink()
        case "encrypted":
            file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
        case _:
            file.write_bytes(key_pem(new_authority().key))


@pytest.mark.parametrize("damage", ["put away", "encrypted", "of another authority"])
def test_an_authority_whose_key_is_not_there_is_never_replaced_by_one_that_no_client_trusts(
    folder: TlsFolder, damage: str
) -> None:
    damage_key(folder.authority_key, damage)
    before = {file: file.read_bytes() for file in folder.secrets.iterdir()}

    for step in (renew, announce, retire):
        with pytest.raises(NoAuthorityKey, match=r"authority\.key is not the key"):
            step(folder)
    assert (keep(folder), init(folder)) == (False, False)

    assert {file: file.read_bytes() for file in folder.secrets.iterdir()} == before
    assert [(one.name, one.is_fine) for one in certificates(folder)] == [("authority", True), ("server", True)]


def test_a_certificate_near_its_end_whose_authority_has_no_key_is_red_and_serves_on(
    folder: TlsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.authority_key.unlink()
    trusted = folder.authority.read_bytes()
    later(monkeypatch, 380)

    assert not keep(folder)
    assert folder.authority.read_bytes() == trusted
    assert [(one.name, one.is_fine) for one in certificates(folder)] == [("authority", True), ("server", False)]
    with pytest.raises(NoAuthorityKey, match=r"authority\.key is not the key"):
        init(folder)

    later(monkeypatch, 20)
    assert keep(folder)
    assert all(one.is_fine for one in certificates(folder))


def test_an_authority_that_ended_while_nothing_ran_is_followed_by_the_one_that_clients_were_told_of(
    folder: TlsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, 1000)
    announce(folder)
    told = folder.authority.read_bytes()
    later(monkeypatch, 2640)

    keep(folder)

    assert folder.authority.read_bytes() == told
    assert names(folder) == ["old authority", "authority", "server"]
    assert all(one.is_fine for one in certificates(folder))


def test_a_key_that_others_may_read_is_a_problem(folder: TlsFolder) -> None:
    folder.key.chmod(0o644)
    folder.authority_key.chmod(0o604)

    assert [one.problem for one in certificates(folder)] == [
        f"others may read its key: chmod 600 {folder.authority_key}",
        f"others may read its key: chmod 600 {folder.key}",
    ]


def test_a_certificate_that_was_made_by_a_clock_ahead_is_a_problem(folder: TlsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, -400)

    assert ["clock is wrong" in one.problem for one in certificates(folder)] == [True, True]


def test_a_server_without_its_key_or_its_authority_is_a_problem(folder: TlsFolder, tmp_path: Path) -> None:
    folder.key.unlink()
    without_key = certificates(folder)[-1].problem
    folder.authority.write_text("no certificate")

    assert "is not its key" in without_key
    assert ["there is no authority" in one.problem for one in certificates(folder)] == [True]


def test_a_folder_where_a_file_should_be_is_said(folder: TlsFolder) -> None:
    folder.certificate.unlink()
    folder.certificate.mkdir()

    with pytest.raises(ConfigError, match=r"server\.crt cannot be read"):
        init(folder)
