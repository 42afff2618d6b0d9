"""Accounts, sessions and mailed tokens in both colours, on a server; time stands still until a test moves it."""

import asyncio
import itertools
import logging
import random
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from psycopg import sql

from pgkeel.access import Database
from pgkeel.access import sync as access_sync
from pgkeel.core.clock import FrozenClock
from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.limits import Rate
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Base
from pgkeel.security import sync as security_sync
from pgkeel.security.identity import (
    AlreadyRegistered,
    Identity,
    InvalidCredentials,
    InvalidToken,
    Passwords,
    Policy,
    TooManyAttempts,
)
from pgkeel.testing.keys import ring_for_tests

LIGHT = Passwords(passes=1, memory_kib=64, lanes=1)
GENEROUS = Policy(attempts=Rate(100_000, timedelta(minutes=1)), guesses=Rate(100_000, timedelta(minutes=1)))
OLD, NEW = Secret("the old password"), Secret("the new password")
EMAIL = "ada@example.org"
ALPHABET = string.ascii_letters + string.digits + "-_"
KEYS = ring_for_tests()
_numbers = itertools.count()


class Awaitable:
    """The sync form behind awaitable calls."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        async def call(*given: Any, **named: Any) -> Any:
            return await asyncio.to_thread(found, *given, **named)

        return call


@pytest.fixture
def url(empty_db: Url) -> Url:
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty_db.reveal()))
    Base.metadata.create_all(engine)
    engine.dispose()
    return empty_db


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture(params=["asyncpg", "psycopg-async", "psycopg-sync"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def make(url: Url, colour: str, clock: FrozenClock) -> AsyncIterator[Any]:
    """Makes identities of the colour under test, on one database handle."""
    async with AsyncExitStack() as stack:
        db: Any
        if colour == "psycopg-sync":
            db = stack.enter_context(access_sync.Database(url, keys=KEYS))
        else:
            db = await stack.enter_async_context(Database(url, driver=colour.removesuffix("-async"), keys=KEYS))

        def made(**options: Any) -> Any:
            given = {"keys": KEYS, "passwords": LIGHT, "policy": GENEROUS, "clock": clock, **options}
            return Awaitable(security_sync.Identity(db, **given)) if colour == "psycopg-sync" else Identity(db, **given)

        yield made


@pytest.fixture
def identity(make: Any) -> Any:
    return make()


@pytest.fixture
def server(url: Url) -> Iterator[Any]:
    with connect(url) as connection:
        yield connection


async def test_a_login_gives_a_session_of_the_user(identity: Any) -> None:
    user = await identity.register(" Ada@Example.org ", OLD)
    login = await identity.authenticate(EMAIL.upper(), OLD)
    session = await identity.session(login.token)
    assert (session.user_id, session.id, session.expires_at) == (user, login.session_id, login.expires_at)


async def test_only_the_hash_of_a_token_is_in_the_database(identity: Any, server: Any) -> None:
    await identity.register(EMAIL, OLD)
    login, reset = await identity.authenticate(EMAIL, OLD), await identity.request_reset(EMAIL)
    rows = server.execute(
        "SELECT sessions::text || user_tokens::text || users::text AS r FROM sessions, user_tokens, users"
    ).fetchone()
    text = str(rows)
    assert not [clear for clear in (login.token, reset, OLD) if clear.reveal() in text]


async def test_wrong_unknown_and_suspended_look_the_same(identity: Any, server: Any) -> None:
    await identity.register(EMAIL, OLD)
    bob = await identity.register("bob@example.org", OLD)
    server.execute("UPDATE users SET status = 'suspended' WHERE id = %s", (bob,))
    said = set()
    hostile = [
        ("not an address", OLD),
        ("a\x00@b", OLD),
        ("\ud800@b", OLD),
        (EMAIL, Secret("\ud800")),
        (EMAIL, Secret("x" * 5000)),
    ]
    cases = [(EMAIL, NEW), ("nobody@example.org", OLD), ("bob@example.org", OLD), (EMAIL, Secret("")), *hostile]
    for email, password in cases:
        with pytest.raises(InvalidCredentials) as refused:
            await identity.authenticate(email, password)
        said.add((str(refused.value), refused.value.hint))
    assert len(said) == 1


async def test_unknown_users_are_verified_against_a_hash_of_the_same_cost(make: Any) -> None:
    seen: list[str | None] = []

    class Counting(Passwords):
        def verify(self, known: str | None, password: Secret) -> bool:
            seen.append(known)
            return super().verify(known, password)

    passwords = Counting(passes=1, memory_kib=64, lanes=1)
    with pytest.raises(InvalidCredentials):
        await make(passwords=passwords).authenticate("nobody@example.org", OLD)
    assert seen == [None]
    assert passwords._nobody.rsplit("$", 2)[0] == passwords.hash(OLD).rsplit("$", 2)[0]


async def test_none_of_a_thousand_mutated_tokens_is_accepted(identity: Any) -> None:
    await identity.register(EMAIL, OLD)
    token = (await identity.authenticate(EMAIL, OLD)).token.reveal()
    dice = random.Random(5)
    accepted = 0
    for number in range(1000):
        mutated = _mutated(token, dice, number)
        try:
            await identity.session(Secret(mutated))
            accepted += 1
        except InvalidToken:
            pass
    assert accepted == 0
    assert await identity.session(Secret(token))


def _mutated(token: str, dice: random.Random, number: int) -> str:
    at = dice.randrange(len(token))
    other = dice.choice(ALPHABET.replace(token[at], ""))
    forms = (
        token[:at] + other + token[at + 1 :],
        token[:at] + token[at + 1 :],
        token[:at] + other + token[at:],
        token[:at],
        token + dice.choice("\n =\x00é\ud800'"),
        token[:-1] + ALPHABET.replace(token[-1], "")[number % 63],
        token.swapcase(),
    )
    return forms[number % len(forms)]


async def test_a_session_slides_but_not_beyond_its_absolute_end(identity: Any, clock: FrozenClock) -> None:
    await identity.register(EMAIL, OLD)
    login = await identity.authenticate(EMAIL, OLD)
    for _ in range(4):
        clock.advance(timedelta(days=6))
        assert (await identity.session(login.token)).expires_at > clock.now()
    clock.advance(timedelta(days=5))
    assert (await identity.session(login.token)).expires_at == login.expires_at + timedelta(days=23)
    clock.advance(timedelta(days=1, seconds=1))
    with pytest.raises(InvalidToken):
        await identity.session(login.token)


async def test_an_unused_session_ends(identity: Any, clock: FrozenClock) -> None:
    await identity.register(EMAIL, OLD)
    login = await identity.authenticate(EMAIL, OLD)
    clock.advance(timedelta(days=7))
    with pytest.raises(InvalidToken):
        await identity.session(login.token)


async def test_a_session_read_again_at_once_writes_nothing(identity: Any, server: Any, clock: FrozenClock) -> None:
    await identity.register(EMAIL, OLD)
    login = await identity.authenticate(EMAIL, OLD)
    before = server.execute("SELECT xmin::text AS x FROM sessions").fetchone()
    clock.advance(timedelta(minutes=1))
    await identity.session(login.token)
    assert server.execute("SELECT xmin::text AS x FROM sessions").fetchone() == before


async def test_logging_out_ends_one_session_or_all(identity: Any) -> None:
    user = await identity.register(EMAIL, OLD)
    logins = [await identity.authenticate(EMAIL, OLD) for _ in range(3)]
    assert await identity.end(logins[0].token)
    assert not await identity.end(logins[0].token)
    assert not await identity.end(Secret("nonsense"))
    assert await identity.end_all(user) == 2


REVOKING = (
    "UPDATE users SET status = 'suspended'",
    "UPDATE users SET status = 'deleted', deleted_at = now()",
    "UPDATE users SET password_hash = '!'",
)


@pytest.mark.parametrize("statement", REVOKING)
async def test_whoever_writes_a_user_ends_the_sessions(identity: Any, server: Any, statement: str) -> None:
    await identity.register(EMAIL, OLD)
    login = await identity.authenticate(EMAIL, OLD)
    await identity.request_reset(EMAIL)
    server.execute(statement)
    with pytest.raises(InvalidToken):
        await identity.session(login.token)
    assert server.execute("SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM user_tokens) AS n").fetchone() == {
        "n": 0
    }


async def test_a_hash_is_renewed_on_login_and_sessions_stay(identity: Any, make: Any, server: Any) -> None:
    await identity.register(EMAIL, OLD)
    login = await identity.authenticate(EMAIL, OLD)
    stronger = make(passwords=Passwords(passes=2, memory_kib=128, lanes=1))
    await stronger.authenticate(EMAIL, OLD)
    row = server.execute("SELECT password_hash AS h FROM users").fetchone()
    assert row["h"].startswith("$argon2id$v=19$m=128,t=2,p=1$")
    assert await identity.session(login.token)


async def test_changing_the_password_ends_every_session(identity: Any) -> None:
    user = await identity.register(EMAIL, OLD)
    login, reset = await identity.authenticate(EMAIL, OLD), await identity.request_reset(EMAIL)
    with pytest.raises(InvalidCredentials):
        await identity.change_password(user, NEW, NEW)
    await identity.change_password(user, OLD, NEW)
    with pytest.raises(InvalidToken):
        await identity.session(login.token)
    with pytest.raises(InvalidToken):
        await identity.reset_password(reset, OLD)
    assert await identity.authenticate(EMAIL, NEW)


async def test_no_session_survives_a_race_of_login_and_password_change(identity: Any, server: Any) -> None:
    user = await identity.register(EMAIL, OLD)
    passwords = [OLD, NEW]
    for _ in range(30):
        old, new = passwords
        await asyncio.gather(
            *(_tried(identity.authenticate(EMAIL, old)) for _ in range(3)), identity.change_password(user, old, new)
        )
        assert server.execute("SELECT count(*) AS n FROM sessions").fetchone() == {"n": 0}
        passwords.reverse()


async def _tried(login: Any) -> None:
    with suppress(InvalidCredentials):
        await login


async def test_a_login_that_is_not_committed_yet_is_ended_too(identity: Any, url: Url) -> None:
    """The order that one statement of its own would miss: the change begins while the session is not visible yet."""
    user = await identity.register(EMAIL, OLD)
    with psycopg.connect(url.reveal()) as login, psycopg.connect(url.reveal(), autocommit=True) as watcher:
        login.execute("SELECT FROM users WHERE id = %s FOR SHARE", (user,))
        login.execute(
            sql.SQL("INSERT INTO sessions (user_id, token, expires_at) VALUES (%s, repeat('a', 64), now() + interval '1 day')"),
            (user,),
        )
        change = asyncio.create_task(identity.change_password(user, OLD, NEW))
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while not watcher.execute(waiting).fetchall():
            await asyncio.sleep(0.01)
        login.commit()
        await change
        assert watcher.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


async def test_a_reset_token_is_good_once(identity: Any, clock: FrozenClock) -> None:
    user = await identity.register(EMAIL, OLD)
    login, first = await identity.authenticate(EMAIL, OLD), await identity.request_reset(EMAIL)
    second = await identity.request_reset(EMAIL)
    with pytest.raises(InvalidToken):
        await identity.reset_password(first, NEW)
    with pytest.raises(UsageError):
        await identity.reset_password(second, Secret("short"))
    done = await asyncio.gather(*(identity.reset_password(second, NEW) for _ in range(4)), return_exceptions=True)
    assert [each for each in done if each == user] == [user]
    assert sum(isinstance(each, InvalidToken) for each in done) == 3
    with pytest.raises(InvalidToken):
        await identity.session(login.token)
    late = await identity.request_reset(EMAIL)
    clock.advance(timedelta(hours=1))
    with pytest.raises(InvalidToken):
        await identity.reset_password(late, OLD)


async def test_a_stranger_gets_no_reset_token(identity: Any) -> None:
    assert await identity.request_reset("nobody@example.org") is None
    assert await identity.request_reset("\x00") is None


async def test_a_pending_account_logs_in_once_its_address_is_verified(identity: Any) -> None:
    user = await identity.register(EMAIL, OLD, pending=True)
    token = await identity.request_verification(EMAIL)
    with pytest.raises(InvalidCredentials):
        await identity.authenticate(EMAIL, OLD)
    with pytest.raises(InvalidToken):
        await identity.reset_password(token, NEW)
    assert await identity.verify_email(token) == user
    assert await identity.authenticate(EMAIL, OLD)
    with pytest.raises(InvalidToken):
        await identity.verify_email(token)
    assert await identity.request_verification(EMAIL) is None


async def test_resets_and_password_changes_do_not_deadlock(identity: Any) -> None:
    user = await identity.register(EMAIL, OLD)
    for _ in range(10):
        token = await identity.request_reset(EMAIL)
        jobs = (identity.reset_password(token, OLD), identity.change_password(user, OLD, OLD), identity.request_reset(EMAIL))
        done = await asyncio.gather(*jobs, return_exceptions=True)
        assert not [
            each for each in done if isinstance(each, Exception) and not isinstance(each, InvalidToken | InvalidCredentials)
        ]


async def test_a_taken_address_or_a_bad_one_is_refused_without_repeating_it(identity: Any) -> None:
    await identity.register(EMAIL, OLD, username="ada")
    for email, username in ((EMAIL.upper(), None), ("other@example.org", "ada")):
        with pytest.raises(AlreadyRegistered) as taken:
            await identity.register(email, OLD, username=username)
        assert email not in str(taken.value.as_dict())
    for bad in ("", "@", "a@", "@b", "a\x00b@c", "a\n@b", "\ud800@b", f"{'x' * 300}@b"):
        with pytest.raises(UsageError):
            await identity.register(bad, OLD)
    for short in ("", "1234567", "\ud800" * 9, "x" * 1025):
        with pytest.raises(UsageError):
            await identity.register("new@example.org", Secret(short))


async def test_roles_are_the_default_one_and_those_granted(identity: Any, server: Any) -> None:
    user = await identity.register(EMAIL, OLD)
    assert await identity.roles(user) == ["user"]
    for _ in range(2):
        await identity.grant_role(user, "admin", by=user)
    assert (await identity.roles(user), await identity.has_role(user, "admin")) == (["admin", "user"], True)
    assert await identity.revoke_role(user, "admin")
    assert not await identity.revoke_role(user, "admin")
    assert not await identity.has_role(user, "admin")
    for who, role in ((user, "no_such"), (uuid4(), "admin")):
        with pytest.raises(NotFound):
            await identity.grant_role(who, role)
    server.execute("UPDATE users SET status = 'suspended'")
    assert not await identity.has_role(user, "user")


async def test_too_many_attempts_must_wait(make: Any, clock: FrozenClock) -> None:
    identity = make(policy=Policy(attempts=Rate(3, timedelta(minutes=3))))
    await identity.register(EMAIL, OLD)
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            await identity.authenticate(EMAIL, NEW)
    with pytest.raises(TooManyAttempts) as refused:
        await identity.authenticate(f" {EMAIL.upper()}", OLD)
    assert refused.value.wait == timedelta(minutes=1)
    clock.advance(timedelta(minutes=1))
    assert await identity.authenticate(EMAIL, OLD)


async def test_an_address_that_is_written_otherwise_is_tried_no_more_often(make: Any) -> None:
    identity = make(policy=Policy(attempts=Rate(3, timedelta(minutes=3))))
    await identity.register("kaiser@strasse.example", OLD)
    spellings = ["kaiser@strasse.example", "kaiser@straße.example", "\uff4baiser@strasse.example", "\u212aaiser@strasse.example"]
    for spelling in spellings[:3]:
        with pytest.raises(InvalidCredentials):
            await identity.authenticate(spelling, NEW)
    for spelling in spellings:
        with pytest.raises(TooManyAttempts):
            await identity.authenticate(spelling, NEW)


@pytest.mark.parametrize("stranger", ["kaiser@straße.example", "\uff4baiser@strasse.example", "\u212aaiser@strasse.example"])
async def test_a_mailbox_that_only_counts_as_the_accounts_gets_no_token(identity: Any, stranger: str) -> None:
    await identity.register("kaiser@strasse.example", OLD)
    await identity.register("pending" + "kaiser@strasse.example", OLD, pending=True)
    assert await identity.request_reset(stranger) is None
    assert await identity.request_verification("pending" + stranger) is None
    assert await identity.request_reset(" Kaiser@STRASSE.example ") is not None
    assert await identity.request_verification("pendingkaiser@strasse.example") is not None


async def test_the_sign_of_kelvin_is_no_k_beside_other_letters_either(identity: Any) -> None:
    await identity.register("kaiser@mülheim.example", OLD)
    assert await identity.request_reset("\u212aaiser@mülheim.example") is None
    assert await identity.request_reset("Kaiser@Mu\u0308lheim.example") is not None


async def test_an_address_beyond_ascii_gets_its_token_however_its_letters_are_composed(identity: Any) -> None:
    await identity.register("andr\u00e9@example.org", OLD)
    assert await identity.request_reset("Andre\u0301@example.org") is not None
    assert await identity.request_reset("ANDR\u00c9@example.org") is not None


async def test_no_password_or_token_is_in_an_error_a_repr_or_a_log(identity: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await identity.register(EMAIL, OLD)
    login, reset = await identity.authenticate(EMAIL, OLD), await identity.request_reset(EMAIL)
    said = [repr(login), str(login), repr(reset)]
    for attempt in (
        identity.authenticate(EMAIL, NEW),
        identity.register(EMAIL, NEW),
        identity.reset_password(Secret(reset.reveal()[::-1]), NEW),
        identity.verify_email(reset),
    ):
        with pytest.raises(Exception) as failed:  # noqa: PT011 - any
            await attempt
        said.append(f"{failed.value!r} {failed.value.args} {failed.getrepr(showlocals=True, style='long')}")
    text = "".join(said) + caplog.text
    assert not [clear for clear in (login.token, reset, OLD, NEW) if clear.reveal() in text]


class Noting:
    """A hook that notes what a cache would forget."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.is_unknown = False

    async def before_commit(self, touched: Any) -> None:
        self.tables |= touched.tables
        self.is_unknown = self.is_unknown or touched.is_unknown

    async def after_commit(self, touched: Any) -> None:
        pass

    async def after_rollback(self, touched: Any) -> None:
        pass


async def test_a_cache_hears_which_tables_are_written_and_forgets_no_other(url: Url, clock: FrozenClock) -> None:
    noting = Noting()
    async with Database(url, keys=KEYS, hooks=[noting]) as db:
        identity = Identity(db, passwords=LIGHT, keys=KEYS, clock=clock)

        async def written(work: Any) -> tuple[Any, set[str]]:
            noting.tables = set()
            return await work, noting.tables

        user, tables = await written(identity.register(EMAIL, OLD))
        assert tables == {"users"}
        login, tables = await written(identity.authenticate(EMAIL, OLD))
        assert tables == {"sessions"}
        assert (await written(identity.session(login.token)))[1] == set()
        clock.advance(timedelta(hours=20))
        assert (await written(identity.session(login.token)))[1] == {"sessions"}
        assert (await written(identity.has_role(user, "admin")))[1] == (await written(identity.roles(user)))[1] == set()
        token, tables = await written(identity.request_reset(EMAIL))
        assert tables == {"user_tokens"}
        assert (await written(identity.reset_password(token, NEW)))[1] == {"users", "sessions", "user_tokens"}
        assert (await written(identity.revoke_role(user, "admin")))[1] == {"user_roles"}
        assert (await written(identity.end_all(user)))[1] == {"sessions"}
        assert not noting.is_unknown
