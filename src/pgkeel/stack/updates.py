"""What is installed on this stack, asked of what runs; and the move of the embedded server to a newer minor."""

import importlib.metadata
import ssl
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec
import psycopg
from cryptography.hazmat.backends.openssl import backend

from pgkeel.core import clock
from pgkeel.core.errors import Refused, Unreachable
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.local import add_runtime, find_runtime
from pgkeel.postgres import server_of
from pgkeel.security.releases import NEWEST
from pgkeel.security.updates import Component, Updates, judge_updates, openssl_in
from pgkeel.stack.connection import connect
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import recall, require_memory
from pgkeel.stack.postgres import ensure_postgres, remembered_cluster

__all__ = ["Moved", "NothingToMove", "apply_updates", "updates"]

_SYSTEM = ("/usr/lib", "/lib", "/usr/local/lib")


class NothingToMove(Refused):
    """The server is not one whose release pgkeel chooses."""

    code = "not_embedded"


class Moved(msgspec.Struct, frozen=True):
    """A move of the embedded server; `before` equals `after` when the newest ran already."""

    before: str
    after: str


def updates(project: Project) -> Updates:
    """Return everything that is installed beside what was newest; of a server that does not answer it is unknown."""
    return judge_updates((*_server(project), *_libraries(project), *_wheels()), clock.now().date())


def apply_updates(project: Project, report: Report, *, dry_run: bool = False) -> Moved:
    """Fetch the newest pinned minor of the embedded server's major and restart the server on it; the data stays where it is.

    A dry run fetches nothing: it tells the newest that is here.

    Killed between stop and start, it leaves a stopped server, which this call or `up` starts.

    Raises:
        NothingToMove: The database is external, or `local.postgres` names a folder.
        Unreachable: The stack was never started.
    """
    if project.is_external:
        raise NothingToMove("this server is not pgkeel's", hint="install the newest minor there and restart it")
    if not project.config.local.postgres.isdecimal():
        raise NothingToMove(
            f"local.postgres names the folder {project.config.local.postgres}",
            hint='update what lies there, or set local.postgres = "17"',
        )
    layout = layout_of(project)
    memory = require_memory(layout)
    major = project.config.local.postgres
    if dry_run:
        newest = find_runtime(major, account=memory.account)
    else:
        newest = add_runtime(int(major), account=memory.account, report=report)
    with explained(layout.state), exclusive(layout, report):
        cluster = remembered_cluster(layout, memory)
        before = memory.runtime.version if cluster is None else cluster.version
        if before == newest.version or dry_run:
            return Moved(before, newest.version)
        if cluster is not None:
            report(f"stopping PostgreSQL {before}")
            cluster.stop()
        return Moved(before, ensure_postgres(project, layout, report).runtime.version)


def _server(project: Project) -> Iterator[Component]:
    try:
        with connect(project, "monitor", application="pgkeel security updates") as connection:
            yield Component("PostgreSQL", "postgres", server_of(connection).version)
    except (Unreachable, psycopg.OperationalError):
        yield Component("PostgreSQL (does not answer)", "postgres", None)


def _libraries(project: Project) -> Iterator[Component]:
    """Yield every OpenSSL between the data and the network."""
    yield from _of_server(project)
    for library in sorted(_package("psycopg_binary").glob("libcrypto*")):
        yield Component("OpenSSL in psycopg-binary", "openssl", openssl_in(library.read_bytes()))
    yield Component("OpenSSL in cryptography", "openssl", openssl_in(backend.openssl_version_text().encode()))
    yield Component("OpenSSL of Python (asyncpg)", "openssl", openssl_in(ssl.OPENSSL_VERSION.encode()), is_distributions=True)


def _of_server(project: Project) -> Iterator[Component]:
    """Yield the `libcrypto` that the embedded postmaster has loaded, as the kernel tells."""
    layout = layout_of(project)
    memory = None if project.is_external else recall(layout)
    cluster = remembered_cluster(layout, memory) if memory else None
    pid = cluster.pid if cluster else None
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines() if pid else []
    except OSError:
        return
    for library in sorted({line.split(maxsplit=5)[5] for line in lines if "libcrypto" in line}):
        version = openssl_in(Path(library).read_bytes())
        yield Component("OpenSSL of the server", "openssl", version, is_distributions=library.startswith(_SYSTEM))


def _package(name: str) -> Path:
    spec = find_spec(name)
    folder = Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
    return folder.with_name(f"{name}.libs")


def _wheels() -> Iterator[Component]:
    for name in NEWEST:
        try:
            yield Component(name, "wheel", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
