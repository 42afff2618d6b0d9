"""Do the same on many databases, and on many schemas of one: shards and tenants, each with a result of its own.

Databases are worked on side by side. The schemas of one database follow each other, for they share its runner's lock. What fails
on one says so in its result, and the others go on; done again, it goes on where it stopped.
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import psycopg

from pgkeel.core.errors import ConfigError, KeelError, Unreachable
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.migrations.options import Options
from pgkeel.migrations.source import Source, source_of_tenant
from pgkeel.postgres import Connection, describe, identifier, load

__all__ = ["Member", "Result", "across", "make_schema", "read_members"]

T = TypeVar("T")
_REFERENCES = ("env:", "file:")


class Member(msgspec.Struct, frozen=True):
    """A database, or a schema in one.

    Attributes:
        name: How results call it.
        url: Where it is, as the login that owns the objects.
        schema: The tenant's schema, in which unqualified names are found and made; "" for the database itself.
    """

    name: str
    url: Url
    schema: str = ""

    def sources(self, known: Sequence[Source]) -> tuple[Source, ...]:
        """Return whose migrations run here: in a schema the team's alone, under a name of its own in the ledger."""
        if not self.schema:
            return tuple(known)
        return tuple(source_of_tenant(source, self.schema) for source in known if source.name == "app")

    def options(self, options: Options) -> Options:
        """Return the options with the schema in which it works."""
        return msgspec.structs.replace(options, search_path=(self.schema,)) if self.schema else options


class Result(msgspec.Struct, Generic[T], frozen=True):
    """What came out for one.

    Attributes:
        value: What was asked for, or None.
        error: Why there is none, or None.
    """

    member: Member
    value: T | None = None
    error: KeelError | None = None


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    url: str = ""
    schema: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target: tuple[_Entry, ...]
    url: str = ""


def read_members(path: Path) -> tuple[Member, ...]:
    """Return the databases and schemas that a TOML file lists.

    Raises:
        ConfigError: It cannot be read, a password stands in it, a reference points to nothing, or two have one name or place.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8-sig")), _File)
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path} cannot be read: {err}", hint="--targets names a TOML file") from err
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as err:
        hint = 'write [[target]] with name = "shard-1", url = "env:SHARD_1_URL" and, for a tenant, schema = "acme"'
        raise ConfigError(f"{path}: {err}", hint=hint) from err
    members = tuple(_member(path, found, number, entry) for number, entry in enumerate(found.target, start=1))
    _require_distinct(path, members)
    return members


def _member(path: Path, file: _File, number: int, entry: _Entry) -> Member:
    name = entry.name or entry.schema
    if not name:
        raise ConfigError(f"{path}: target {number} has no name", hint='give it one: name = "shard-1"')
    text = entry.url or file.url
    if not text:
        raise ConfigError(f"{path}: {name} has no url", hint='write url = "env:NAME" in it, or once above all targets')
    is_reference = text.startswith(_REFERENCES)
    url = Url.parse(Secret.from_reference(text, folder=path.parent).reveal() if is_reference else text)
    if url.has_secrets and not is_reference:
        raise ConfigError(f"{path}: the url of {name} holds a password", hint='write url = "env:NAME" and export it')
    return Member(name, url, entry.schema)


def _require_distinct(path: Path, members: Sequence[Member]) -> None:
    if not members:
        raise ConfigError(f"{path} lists no target", hint="write one [[target]] for each database or schema")
    for kind, keys in (
        ("have one name", [member.name for member in members]),
        ("are one place", [f"{member.url.reveal()} {member.schema}" for member in members]),
    ):
        for number, key in enumerate(keys):
            first = members[keys.index(key)].name
            if keys.index(key) != number:
                raise ConfigError(f"{path}: {first} and {members[number].name} {kind}", hint="remove or correct one of them")


def across(members: Sequence[Member], act: Callable[[Member], T], *, parallel: int = 4) -> tuple[Result[T], ...]:
    """Return what `act` says for each member, in their order.

    Args:
        members: From `read_members`.
        act: Does the work; called from several threads, never twice at once for one database.
        parallel: On how many databases at once.
    """
    groups: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        groups[member.url.reveal()].append(member)
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        results = pool.map(lambda group: [_result(member, act) for member in group], groups.values())
        try:
            by_name = {result.member.name: result for group in results for result in group}
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(by_name[member.name] for member in members)


def _result(member: Member, act: Callable[[Member], T]) -> Result[T]:
    try:
        return Result(member, act(member))
    except KeelError as err:
        return Result(member, error=err)
    except psycopg.OperationalError as err:
        return Result(member, error=Unreachable(f"{member.url} went away: {describe(err)}", hint="run it again"))
    except Exception as err:  # noqa: BLE001 - the others go on whatever it is
        said = describe(err) if isinstance(err, psycopg.Error) else f"{type(err).__name__}: {err}"
        return Result(member, error=KeelError(said, hint="the others went on; run it again once that is mended"))


def make_schema(connection: Connection, member: Member) -> None:
    """Make the schema of a new tenant, if it is not there."""
    if member.schema:
        load(__name__, "make_tenant").named(schema=identifier(member.schema)).run(connection)
