import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pgkeel.core import clock
from pgkeel.security import tls
from pgkeel.security.tls import ensure_authority, ensure_certificate


def make(folder: Path) -> bool:
    authority = ensure_authority(folder / "authority.crt", folder / "authority.key")
    return ensure_certificate(authority, folder / "server.crt", folder / "server.key")


def greet(folder: Path, host: str) -> None:
    """Shake hands in memory, as strictly as Python can."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    client = ssl.create_default_context(cafile=str(folder / "authority.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    done: set[int] = set()
    while len(done) < 2:
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_client_trusts_the_server_by_each_local_name(tmp_path: Path, host: str) -> None:
    make(tmp_path)

    greet(tmp_path, host)


def test_a_client_refuses_the_certificate_for_another_name(tmp_path: Path) -> None:
    make(tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError):
        greet(tmp_path, "db.example.com")


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    make(tmp_path)

    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("authority.key", "server.key")}
    assert modes == {"authority.key": 0o600, "server.key": 0o600}


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    make(tmp_path)
    before = (tmp_path / "server.crt").read_bytes()

    assert not make(tmp_path)
    assert (tmp_path / "server.crt").read_bytes() == before


def test_a_certificate_near_its_end_is_renewed_by_the_same_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    authority = (tmp_path / "authority.crt").read_bytes()
    frozen = clock.FrozenClock(clock.now() + timedelta(days=368))
    monkeypatch.setattr(clock, "now", frozen.now)

    assert make(tmp_path)
    assert (tmp_path / "authority.crt").read_bytes() == authority
    assert x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes()).not_valid_after_utc > frozen.now()


@pytest.mark.parametrize("name", ["authority.key", "authority.crt", "server.key", "server.crt"])
@pytest.mark.parametrize("damage", ["missing", "empty", "other"])
def test_whatever_file_a_fault_takes_the_pair_is_whole_again(tmp_path: Path, name: str, damage: str) -> None:
    make(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    make(other)
    match damage:
        case "missing":
            (tmp_path / name).unlink()
        case "empty":
            (tmp_path / name).write_bytes(b"")
        case _:
            (tmp_path / name).write_bytes((other / name).read_bytes())

    make(tmp_path)

    greet(tmp_path, "localhost")


def test_a_link_in_the_way_of_a_key_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "server.key").symlink_to(victim)

    make(tmp_path)

    assert victim.read_text() == "untouched"
    assert not (tmp_path / "server.key").is_symlink()


def test_the_authority_may_sign_servers_and_no_further_authority(tmp_path: Path) -> None:
    authority = ensure_authority(tmp_path / "a.crt", tmp_path / "a.key")

    limits = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value

    assert (limits.ca, limits.path_length) == (True, 0)
    assert tls.HOSTS == ("localhost", "127.0.0.1", "::1")
