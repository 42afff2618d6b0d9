"""The server that the data access is measured on: one, reached over its socket and over TLS."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Cluster, TlsFiles, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.security.tls import ensure_authority, ensure_certificate
from pgkeel.testing.servers import FAST, scratch_folder

__all__ = ["transports"]

_PASSWORD = "measured"


@contextmanager
def transports() -> Iterator[dict[str, Url]]:
    """Yield the addresses of one empty database by transport: `unix` and `tls`, as one role that owns it."""
    account = choose_account()
    with scratch_folder() as folder:
        files = TlsFiles(folder / "server.crt", folder / "server.key", folder / "authority.crt")
        ensure_certificate(ensure_authority(files.authority, folder / "authority.key"), files.certificate, files.key)
        cluster = Cluster.create(
            folder / "postgres",
            runtime=find_runtime("17", account=account),
            account=account,
            superuser_password=Secret.generate(),
            settings=dict(FAST),
            tls=files,
        )
        try:
            cluster.start()
            yield _addresses(cluster, files)
        finally:
            cluster.destroy()


def _addresses(cluster: Cluster, files: TlsFiles) -> dict[str, Url]:
    with connect(cluster.superuser_url()) as connection:
        connection.execute("CREATE ROLE bench LOGIN SUPERUSER PASSWORD 'measured'")
    cluster.create_database("bench", owner="bench")
    socket = cluster.superuser_url("bench")
    verified = {"sslmode": "verify-full", "sslrootcert": str(files.authority)}
    tls = Url(user="bench", host="127.0.0.1", port=cluster.port, database="bench", password=Secret(_PASSWORD), options=verified)
    return {"unix": socket, "tls": tls}
