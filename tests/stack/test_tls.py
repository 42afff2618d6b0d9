"""TLS of the stack: who is refused, and certificates that change under load."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.core import clock
from pgkeel.core.url import Url
from pgkeel.security.tls_probe import shown_certificate
from pgkeel.security.tls_renewal import TlsFolder, init, renew
from tests.projects import Home, running
from tests.security.man_in_the_middle import man_in_the_middle
from tests.stack.load import Load, keywords

__all__ = ["running"]


@pytest.fixture
def address(running: Home) -> Url:
    return Url.parse(running.ok("url", "--role", "app", "--reveal"))


@pytest.fixture
def stolen(running: Home, tmp_path: Path) -> TlsFolder:
    """A server certificate of the stack's own authority, in somebody else's hands."""
    folder = TlsFolder(tmp_path / "authority.crt", tmp_path)
    folder.authority.write_bytes((running.state / "authority.crt").read_bytes())
    folder.authority_key.write_bytes((running.state / "secrets/authority.key").read_bytes())
    renew(folder)
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> TlsFolder:
    """A certificate of an authority that nobody here trusts."""
    folder = TlsFolder(tmp_path / "foreign.crt", tmp_path / "foreign")
    folder.secrets.mkdir()
    init(folder)
    return folder


def test_a_foreign_authority_a_wrong_name_and_no_tls_are_refused(address: Url, foreign: TlsFolder) -> None:
    for wrong in ({"sslrootcert": str(foreign.authority)}, {"host": "localhost.localdomain", "hostaddr": "127.0.0.1"}):
        with pytest.raises(psycopg.OperationalError, match="certificate"):
            psycopg.connect(**keywords(address, **wrong))
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(**keywords(address, sslmode="disable"))


def test_a_man_in_the_middle_with_a_trusted_certificate_is_refused_by_channel_binding(address: Url, stolen: TlsFolder) -> None:
    with man_in_the_middle(address.port or 0, stolen.certificate, stolen.key) as port:
        psycopg.connect(**keywords(address, port=port, channel_binding="disable")).close()  # he can, where nothing binds

        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            psycopg.connect(**keywords(address, port=port, channel_binding="require"))


def test_an_expired_certificate_is_refused(address: Url, stolen: TlsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = clock.now() - timedelta(days=398)
    with monkeypatch.context() as then:
        then.setattr(clock, "now", lambda: long_ago)
        renew(stolen)

    with (
        man_in_the_middle(address.port or 0, stolen.certificate, stolen.key) as port,
        pytest.raises(psycopg.OperationalError, match="certificate verify failed"),
    ):
        psycopg.connect(**keywords(address, port=port))


async def test_a_man_in_the_middle_with_a_foreign_certificate_is_refused_by_asyncpg(address: Url, foreign: TlsFolder) -> None:
    with man_in_the_middle(address.port or 0, foreign.certificate, foreign.key) as port:
        arguments = connect_arguments(address, {}) | {"port": port}
        with pytest.raises(OSError, match="certificate verify failed"):
            await asyncpg.connect(**arguments)


def test_the_commands_of_the_stack_bind_to_the_certificate(running: Home, address: Url) -> None:
    from pgkeel.core.project import load
    from pgkeel.stack.connection import connect

    with connect(load(running.root), "app") as connection:
        assert connection.info.get_parameters()["channel_binding"] == "require"


@pytest.fixture
def under_load(address: Url) -> Iterator[Load]:
    with Load(address) as load:
        yield load


def serial(home: Home) -> bytes:
    return (home.state / "secrets/server.crt").read_bytes()


def test_certificates_and_authorities_change_under_load_and_no_statement_fails(running: Home, under_load: Load) -> None:
    before = serial(running)
    running.data("security", "tls", "renew")
    renewed = serial(running)
    for step in ("announce", "switch", "retire"):
        running.data("security", "tls", "renew", "--authority", step)

    assert len({before, renewed, serial(running)}) == 3
    assert under_load.failed == []
    assert under_load.done > 0


def test_status_shows_each_certificate_and_a_dry_run_changes_none(running: Home) -> None:
    before = serial(running)
    data = running.data("security", "tls", "status")
    dry = running.data("security", "tls", "renew", "--dry-run")

    server = next(one for one in data["certificates"] if one["name"] == "server")
    assert set(server) >= {"name", "not_after", "sans"}
    assert "localhost" in server["sans"]
    assert dry["before"] == dry["certificates"]
    assert serial(running) == before


def test_a_dry_run_says_that_there_is_no_old_authority(running: Home) -> None:
    assert "no old authority" in running.ok("security", "tls", "renew", "--authority", "retire", "--dry-run")


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_switch_without_an_announcement_is_refused(running: Home, options: tuple[str, ...]) -> None:
    code, name, said = running.error("security", "tls", "renew", "--authority", "switch", *options)

    assert (code, name) == (4, "not_announced")
    assert "announce" in said


def test_certificates_for_a_server_elsewhere_are_made_in_a_directory(running: Home, tmp_path: Path) -> None:
    place = tmp_path / "tls"
    foreseen = running.data("security", "tls", "init", str(place), "--host", "db.example.com", "--dry-run")["would_make"]
    was_there = place.exists()
    made = running.data("security", "tls", "init", str(place), "--host", "db.example.com")
    shown = running.data("security", "tls", "status", str(place))
    other = running.run("security", "tls", "init", str(place), "--host", "db.example.net")
    nowhere = running.run("security", "tls", "status", str(tmp_path / "none"))
    bad = running.run("security", "tls", "init", str(tmp_path / "other"), "--host", "not a host", "--json")

    assert ([Path(file).name for file in foreseen], was_there) == (["authority.crt", "server.crt"], False)
    assert [one["name"] for one in shown["certificates"]] == ["authority", "server"]
    assert shown["certificates"][1]["sans"] == ["db.example.com"]
    assert made["settings"]["ssl"] == "on"
    assert f"tls renew {place} --host db.example.net` makes one that does" in other.stderr
    assert f"`pgkeel security tls init {tmp_path / 'none'}` makes one" in nowhere.stdout
    assert (place / "server.key").stat().st_mode & 0o077 == 0
    assert (bad.returncode, json.loads(bad.stdout)["error"]["code"]) == (2, "config")


def test_the_certificate_of_an_external_server_is_the_one_that_it_shows(running: Home, address: Url) -> None:
    external = {"PGKEEL_DATABASE__URL": f"postgresql://app@127.0.0.1:{address.port}/app"}

    (shown,) = running.data("security", "tls", "status", env=external)["certificates"]

    assert shown["name"] == "server"
    assert "127.0.0.1" in shown["sans"]


def test_the_agent_renews_a_certificate_before_its_end_and_no_connection_is_dropped(
    running: Home, under_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgkeel.agent.jobs import Job
    from pgkeel.core.project import load
    from pgkeel.stack.duties import jobs_of

    project = load(running.root)
    job: Job = next(job for job in jobs_of(project) if job.name == "renew_certificates")
    assert job.run(None) == {"renewed": False}  # type: ignore[arg-type] # it needs no database
    almost_a_year_ago = clock.now() - timedelta(days=380)
    with monkeypatch.context() as then:
        then.setattr(clock, "now", lambda: almost_a_year_ago)
        running_folder = TlsFolder(running.state / "authority.crt", running.state / "secrets")
        renew(running_folder)
    old = serial(running)

    assert job.run(None) == {"renewed": True}  # type: ignore[arg-type]
    assert serial(running) != old
    assert shown_certificate("127.0.0.1", under_load.address.port or 0).public_bytes(Encoding.PEM) in serial(running)
    assert (under_load.failed, under_load.done > 0) == ([], True)
