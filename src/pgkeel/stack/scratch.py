"""Where a scratch database is made: beside the project's own, or, where its login may not, on a server of its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime, runtime_folder, scratch_folder
from pgkeel.migrations.dump import Dumper
from pgkeel.migrations.scratch import Scratch, scratch_on
from pgkeel.postgres import Connection, load, server_of
from pgkeel.security.names import RoleWord
from pgkeel.stack.connection import connect, login_url
from pgkeel.stack.shell import output_of

__all__ = ["dumper_of", "rehearsal_of", "scratch_of"]

_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def scratch_of(project: Project) -> Scratch:
    """Return what gives empty databases for a project: same major, gone after use."""

    @contextmanager
    def scratch() -> Iterator[Url]:
        server = _own_server(project)
        if server is not None:
            with scratch_on(server) as url:
                yield url
            return
        with rehearsal_of(project)() as url:
            yield url

    return scratch


def rehearsal_of(project: Project, *, major: str | None = None) -> Scratch:
    """Return what gives empty databases on a server of its own, which is gone after use: roles may be made and dropped there.

    Args:
        project: Whose account runs it.
        major: Of PostgreSQL; that of the project's database when not given.
    """

    @contextmanager
    def scratch() -> Iterator[Url]:
        with _cluster(project, major or _major(project)) as cluster, scratch_on(cluster.superuser_url()) as url:
            yield url

    return scratch


def dumper_of(project: Project) -> Dumper:
    """Return what runs pg_dump on the project's database."""
    role: RoleWord = "owner" if project.is_external else "superuser"
    return lambda arguments: output_of(project, role, "pg_dump", arguments, major=_major(project))


def _major(project: Project) -> str:
    with closing(connect(project, application="pgkeel scratch")) as connection:
        return str(server_of(connection).major)


def _own_server(project: Project) -> Url | None:
    if not project.is_external:
        return login_url(project, "superuser")
    with closing(connect(project, application="pgkeel scratch")) as connection:
        return login_url(project, reveal=True) if _may_make_databases(connection) else None


def _may_make_databases(connection: Connection) -> bool:
    return bool(load(__name__, "may_make_scratch").scalar(connection))


@contextmanager
def _cluster(project: Project, major: str) -> Iterator[Cluster]:
    account = choose_account(project.config.local.run_as)
    runtime = find_runtime(major, account=account, folder=runtime_folder())
    with scratch_folder("pgkeel-scratch-") as folder:
        cluster = Cluster.create(
            folder / "postgres",
            runtime=runtime,
            account=account,
            superuser_password=Secret.generate(),
            name="scratch",
            settings=_QUICK,
        )
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.destroy()
