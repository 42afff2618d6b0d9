"""Clear values that can be told from everything else, written through every door of a stack, and where they lie afterwards."""

import os
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel.access import AccessError
from pgkeel.access.sync import Database as PlainDatabase
from pgkeel.cache.sync import Cache
from pgkeel.core.project import load
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime
from pgkeel.postgres import Connection
from pgkeel.schema.caching import Row
from pgkeel.schema.encrypted import Encrypted
from pgkeel.stack import connect
from pgkeel.stack.keys import opened_ring
from pgkeel.stack.valkey import cache_url
from tests.projects import Home

__all__ = ["Canaries", "found_in", "places", "plant"]

SECRET = Secret("the secret of the canaries")
Database: Any = PlainDatabase


class Base(DeclarativeBase):
    pass


class Member(Base):
    """The reference schema's users, kept in the cache."""

    __tablename__ = "users"
    cache = Row(ttl="5m")
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = Encrypted(index="email", unique="idx_users_email")
    username: Mapped[str | None] = mapped_column(String(50), info={"pii": True})
    password_hash: Mapped[str] = mapped_column(String(255), info={"secret": True})
    phone: Mapped[str | None] = Encrypted()


class Canaries(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        sealed: Values of encrypted columns: they are nowhere.
        personal: A value of a clear column marked as personal: it is in the table, and what copies tables.
        secret: The same of one marked as secret.
    """

    sealed: tuple[str, ...]
    personal: str
    secret: str


def plant(home: Home) -> Canaries:
    """Insert, read from the cache, update, collide and be refused, as the application."""
    mark = uuid.uuid4().hex
    canaries = Canaries((f"mail{mark}@canary.invalid", f"+49{mark}1", f"+49{mark}2"), f"name{mark}", f"hash{mark}")
    email, phone, later = canaries.sealed
    hashed = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${canaries.secret}"
    values = {"email": email, "phone": phone, "username": canaries.personal, "password_hash": hashed}
    project = load(home.root)
    address = Url.parse(home.ok("url", "--role", "app", "--reveal"))
    with (
        opened_ring(project, "test") as (_, keys),
        Cache(cache_url(project), secret=SECRET) as cache,
        Database(address, keys=keys, cache=cache) as db,
        db.as_actor("canary"),
    ):
        members = db.repository(Member)
        members.get(uuid.uuid4())  # the first read tells the cache of the epoch
        _fill_at_once(cache)
        key = members.insert(**values)
        members.update(key, version=None, phone=later)
        assert [members.get_one(key).email for _ in range(3)] == [email] * 3
        for wrong in ({"email": email.upper()}, {"username": f"{canaries.personal} !"}, {"password_hash": "x" * 300}):
            with suppress(AccessError):
                members.insert(**(values | wrong))
    return canaries


def _fill_at_once(cache: Cache) -> None:
    """End the time after a flush in which nobody fills."""
    raw = cache.client.call("GET", b"{pgkeel}:epoch")
    cache.client.call("SET", b"{pgkeel}:epoch", raw[:17] + b"0" * 13 + raw[30:])


def places(home: Home, scratch: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all that a stack keeps, by its kind: files, the dump, the cache, the audit log."""
    with connect(load(home.root), "superuser") as superuser:
        superuser.execute("CHECKPOINT")
        yield "audit", _audit(superuser)
    yield "dump", _dump(home)
    yield from (("cache", value) for value in _cached(home))
    for file in (one for folder in (home.state, scratch) for one in folder.rglob("*") if one.is_file() and not one.is_symlink()):
        with suppress(FileNotFoundError):  # the server removes some of its own
            yield _kind(file, scratch), file.read_bytes()


def found_in(everything: Iterable[tuple[str, bytes]], needles: Iterable[str]) -> dict[str, set[str]]:
    """Return the kinds of places, of which each has the needles that were found there, as text or in UTF-16 or hex."""
    forms = {needle: (needle.encode(), needle.encode("utf-16-le"), needle.encode().hex().encode()) for needle in needles}
    found: dict[str, set[str]] = {}
    for kind, content in everything:
        found.setdefault(kind, set()).update(needle for needle, all_ in forms.items() if any(one in content for one in all_))
    return found


def _kind(file: Path, scratch: Path) -> str:
    if scratch in file.parents:
        return "backup"
    if "pg_wal" in file.parts:
        return "wal"
    return "log" if file.suffix == ".log" or "log" in file.parts else "data"


def _audit(superuser: Connection) -> bytes:
    rows = superuser.execute("SELECT log::text AS entry FROM audit.log WHERE table_name = 'public.users'").fetchall()
    if not rows:
        pytest.fail("the audit log does not watch users")
    return "\n".join(row["entry"] for row in rows).encode()


def _dump(home: Home) -> bytes:
    runtime = find_runtime("17", account=choose_account())
    argv = [str(runtime.program("pg_dump")), "-d", home.ok("url", "--role", "superuser", "--reveal")]
    return subprocess.run(argv, env={**os.environ, **runtime.environment}, capture_output=True, check=True).stdout


def _cached(home: Home) -> Iterator[bytes]:
    with Cache(cache_url(load(home.root)), secret=SECRET) as cache:
        for name in cache.client.call("KEYS", "*"):
            is_text = cache.client.call("TYPE", name) in {b"string", "string"}  # a dump of one may be compressed
            yield name + (cache.client.call("GET" if is_text else "DUMP", name) or b"")
