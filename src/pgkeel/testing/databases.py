"""Databases for tests: one template with the project's migrations applied, and a copy of it for each test."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import connect

if TYPE_CHECKING:
    from pgkeel.security.keys import KeyRing

__all__ = ["ScratchDatabase", "Template", "scratch_database"]

_numbers = itertools.count(1)


class Template(msgspec.Struct, frozen=True):
    """What the copies are made of.

    Attributes:
        cluster: The server.
        name: The template's name.
        owner: Who owns the copies.
        logins: Role word → login and password.
        field_key: What wraps the keys of encrypted columns.
    """

    cluster: Cluster
    name: str
    owner: str
    logins: dict[str, tuple[str, Secret]]
    field_key: Secret

    @classmethod
    def of(cls, cluster: Cluster, project: Project) -> "Template":
        """Return a template with our roles and with every migration of the project, as `pgkeel up` would apply them."""
        from pgkeel import migrations, security  # noqa: PLC0415 - only a suite that asks for a database pays for these
        from pgkeel.security.keys import LocalProvider, ensure  # noqa: PLC0415
        from pgkeel.testing.keys import new_field_key  # noqa: PLC0415

        passwords = {login: Secret.generate() for login in security.LOGINS.values()}
        template = cls(
            cluster,
            "pgkeel_template",
            security.OWNER,
            {word: (login, passwords[login]) for word, login in security.LOGINS.items()},
            new_field_key(),
        )
        with connect(cluster.superuser_url()) as superuser:
            security.ensure_roles(superuser)
            security.ensure_passwords(superuser, passwords)
        cluster.create_database(template.name, owner=template.owner)
        with connect(cluster.superuser_url(template.name)) as superuser:
            security.ensure_rights(superuser)
        options = migrations.Options.of(project.config.migrations)
        migrations.upgrade(template.url("owner", template.name), migrations.project_sources(project), options)
        with connect(template.url("owner", template.name)) as owner:
            ensure(owner, LocalProvider(template.field_key))
        return template

    def url(self, role: str, database: str) -> Url:
        """Return the address of a role on the cluster's socket, password included."""
        if role == "superuser":
            return self.cluster.superuser_url(database)
        login, password = self.logins[role]
        return self.cluster.superuser_url(database).with_login(login, password)


class ScratchDatabase(msgspec.Struct, frozen=True):
    """A database of its own for one test.

    Attributes:
        name: Its name.
        template: What it is a copy of.
    """

    name: str
    template: Template

    def url(self, role: str = "owner") -> Url:
        """Return its address for a role: `owner`, `app`, `readonly`, `monitor` or `superuser`."""
        return self.template.url(role, self.name)

    @property
    def keys(self) -> "KeyRing":
        """The key ring of its encrypted columns: `Database(url, keys=pg_db.keys)`."""
        from pgkeel.security.keys import LocalProvider, load_ring  # noqa: PLC0415

        with connect(self.url()) as owner:
            return load_ring(owner, LocalProvider(self.template.field_key))


@contextlib.contextmanager
def scratch_database(template: Template) -> Iterator[ScratchDatabase]:
    """Yield a copy of the template that is gone after the block."""
    database = ScratchDatabase(f"test_{next(_numbers)}", template)
    template.cluster.create_database(database.name, template=template.name, owner=template.owner)
    try:
        yield database
    finally:
        template.cluster.drop_database(database.name)
