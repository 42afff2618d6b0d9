"""The keys of a project's encrypted columns: what wraps them, which columns they seal, who else may need them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgkeel.core.errors import ConfigError, NotFound
from pgkeel.core.project import Project
from pgkeel.postgres import Connection
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import KeyProvider, KeyRing, ensure, ensure_local_key, keys_of, load_ring, provider_from
from pgkeel.stack.connection import connect
from pgkeel.stack.layout import layout_of
from pgkeel.stack.models import tables_of

__all__ = ["ensure_keys", "field_of", "fields_of", "key_provider", "opened_ring", "prepared_provider"]


def key_provider(project: Project) -> KeyProvider:
    """Return what wraps the keys: `[security] key`, else the file of the embedded stack.

    Raises:
        ConfigError: Nothing is configured for an external database, or the key cannot be read.
    """
    reference = project.config.security.key
    if reference is not None:
        return provider_from(reference, project.root)
    if project.is_external:
        hint = 'write key = "env:PGKEEL_FIELD_KEY" under [security]; 32 random bytes in base64'
        raise ConfigError("no key wraps the keys of this external database", hint=hint)
    file = layout_of(project).field_key
    if not file.exists():
        raise ConfigError(
            f"the key file {file} is missing", hint="restore it from where you keep it; a new project gets one by `pgkeel up`"
        )
    return provider_from(f"file:{file}", project.root)


def prepared_provider(project: Project, connection: Connection) -> KeyProvider:
    """Return what wraps the keys; the embedded stack gets its file where there is no key yet.

    Raises:
        ConfigError: The file is gone, but keys that it wrapped are here.
    """
    if project.config.security.key is None and not project.is_external and not keys_of(connection):
        ensure_local_key(layout_of(project).field_key)
    return key_provider(project)


def ensure_keys(project: Project, connection: Connection) -> KeyRing:
    """Return the key ring, its first key made where there is none.

    Raises:
        ConfigError: What wraps them is missing, or is another one.
    """
    provider = prepared_provider(project, connection)
    ensure(connection, provider)
    return load_ring(connection, provider)


@contextmanager
def opened_ring(project: Project, application: str) -> Iterator[tuple[Connection, KeyRing]]:
    """Lend a connection as the owner and the key ring."""
    with connect(project, "owner", application=application) as connection:
        ring = load_ring(connection, key_provider(project), lambda: connect(project, "owner", application=application))
        try:
            yield connection, ring
        finally:
            if ring.subjects is not None:
                ring.subjects.close()


def fields_of(project: Project) -> tuple[EncryptedField, ...]:
    """Return the encrypted columns of the project's models, and of the reference schema where it is kept beside them.

    Raises:
        ModelsNotFound: `[schema] models` cannot be imported.
    """
    from pgkeel.schema.sealed_type import encrypted_fields  # noqa: PLC0415 - the ORM only where models are read

    return encrypted_fields(tables_of(project))


def field_of(project: Project, name: str) -> EncryptedField:
    """Return the encrypted column `table.column`.

    Raises:
        NotFound: The models have no such encrypted column.
    """
    found = {field.name.removeprefix("public."): field for field in fields_of(project)}
    known = found.get(name.removeprefix("public."))
    if known is None:
        raise NotFound(f"{name} is no encrypted column of the models", hint=f"one of: {', '.join(found) or 'there is none'}")
    return known
