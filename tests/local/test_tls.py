import os
from pathlib import Path

import pytest

from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, TlsFiles, launch
from pgkeel.postgres import connect
from pgkeel.security.tls import ensure_authority, ensure_certificate
from tests.conftest import MakeCluster


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    files = TlsFiles(certificate=tmp_path / "server.crt", key=tmp_path / "server.key", authority=tmp_path / "authority.crt")
    ensure_certificate(ensure_authority(files.authority, tmp_path / "authority.key"), files.certificate, files.key)
    return files


def over_tcp(cluster: Cluster, **options: str) -> Url:
    return Url(
        user="guest", host="127.0.0.1", port=cluster.port, database="postgres", password=Secret("guest-password"), options=options
    )


def with_guest(cluster: Cluster) -> None:
    with connect(cluster.superuser_url()) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest-password'")


def test_over_tcp_only_verified_tls_gets_in(make_cluster: MakeCluster, tls: TlsFiles, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.crt"
    ensure_authority(stranger, tmp_path / "stranger.key")
    with make_cluster(tls=tls) as cluster:
        with_guest(cluster)

        with connect(over_tcp(cluster, sslmode="verify-full", sslrootcert=str(tls.authority))) as connection:
            row = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()

        assert row == {"ssl": True, "version": "TLSv1.3"}
        with pytest.raises(Unreachable, match="no encryption"):
            connect(over_tcp(cluster, sslmode="disable"))
        with pytest.raises(Unreachable, match="certificate verify failed"):
            connect(over_tcp(cluster, sslmode="verify-full", sslrootcert=str(stranger)))


def test_the_account_reads_its_key_and_neither_the_authoritys_nor_a_clients(
    make_cluster: MakeCluster, tls: TlsFiles, account: Account
) -> None:
    with make_cluster(tls=tls) as cluster:
        kept = cluster.plan.directory / "conf" / "server.key"

        assert launch.can(account, "-r", kept)
        assert not kept.stat().st_mode & 0o007
        if os.getuid() == 0:
            assert not launch.can(account, "-w", kept)
            assert not launch.can(account, "-r", tls.key)
            assert not launch.can(account, "-r", tls.key.with_name("authority.key"))


def test_a_renewed_certificate_is_served_after_a_reload(make_cluster: MakeCluster, tls: TlsFiles, tmp_path: Path) -> None:
    with make_cluster(tls=tls) as cluster:
        with_guest(cluster)
        for file in (tls.certificate, tls.key, tls.authority, tmp_path / "authority.key"):
            file.unlink()
        ensure_certificate(ensure_authority(tls.authority, tmp_path / "authority.key"), tls.certificate, tls.key)

        cluster.reload()

        with connect(cluster.superuser_url()) as connection:  # a session of after the reload
            connection.execute("SELECT pg_sleep(0.1)")
        with connect(over_tcp(cluster, sslmode="verify-full", sslrootcert=str(tls.authority))):
            pass
