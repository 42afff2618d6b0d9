"""Who is who: accounts, logins, sessions, roles and mailed tokens on the design's tables, over whatever runs SQL."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from pgkeel.core import clock
from pgkeel.core.cipher import Cipher
from pgkeel.core.clock import Clock
from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.limits import Rate
from pgkeel.core.normal_form import NORMAL_FORMS
from pgkeel.core.secret import Secret
from pgkeel.postgres import Query
from pgkeel.security import identity_sql as sql
from pgkeel.security._colour.asynchronous import Limiter, MemoryLimiter, aside
from pgkeel.security.addresses import Addresses
from pgkeel.security.identity_errors import AlreadyRegistered, InvalidCredentials, InvalidToken, TooManyAttempts
from pgkeel.security.passwords import Passwords
from pgkeel.security.policy import Account, Addressee, FoundSession, Login, Policy, Session
from pgkeel.security.tokens import digest, new_token

__all__ = ["Identity", "Statements"]

T = TypeVar("T")
_LONGEST_EMAIL = 255


class Statements(Protocol):
    """What runs a statement: a `Database` does."""

    async def sql(
        self, text: str | Query, /, *, into: Callable[..., T], writes: Sequence[str] | None = None, **values: object
    ) -> list[T]:
        """Run it, in autocommit, and return its rows."""
        ...


class Identity:
    """The accounts of one database."""

    def __init__(
        self,
        statements: Statements,
        *,
        policy: Policy | None = None,
        passwords: Passwords | None = None,
        limiter: Limiter | None = None,
        keys: Cipher | None = None,
        clock: Clock = clock.SystemClock(),  # noqa: B008 - has no state
    ) -> None:
        """Work on a database handle.

        Args:
            statements: What runs the statements, such as a `Database`.
            policy: Lifetimes and limits.
            passwords: How passwords are hashed; hashes made otherwise are renewed when their owner logs in.
            keys: The key ring that seals and finds addresses: the one of the database handle.
            limiter: Counts attempts; in this process only unless one is handed in.
            clock: Where the time comes from.
        """
        self._statements = statements
        self._policy = policy or Policy()
        self._passwords = passwords or Passwords()
        self._limiter: Limiter = limiter or MemoryLimiter(clock=clock)
        self._clock = clock
        self._addresses = Addresses(keys)

    async def register(self, email: str, password: Secret, *, username: str | None = None, pending: bool = False) -> UUID:
        """Add an account and return its id.

        Args:
            email: The address, in any case and with spaces around it.
            password: At least 8 characters.
            username: A name, if it has one.
            pending: It cannot log in until `verify_email`.

        Raises:
            AlreadyRegistered: The address or the username is taken. A page for strangers should not pass that on.
            UsageError: The address cannot be one, or the password is too short.
        """
        _check_email(email)
        self._passwords.check(password)
        hashed = await aside(self._passwords.hash, password)
        status = "pending" if pending else "active"
        address = self._addresses.sealed(email)
        user = await self._first(sql.REGISTER, UUID, username=username, hash=hashed, status=status, **address)
        if user is None:
            raise AlreadyRegistered(hint="log in, or reset the password")
        return user

    async def authenticate(self, email: str, password: Secret) -> Login:
        """Return a new session; an address that nobody has costs as much as a wrong password.

        Raises:
            InvalidCredentials: Address or password is wrong, or the account may not log in.
            TooManyAttempts: This address was tried too often.
        """
        await self._count("login", email, self._policy.attempts)
        for _ in range(2):  # a hash that was renewed or replaced meanwhile is looked at once more
            account = await self._account(email)
            matches = await aside(self._passwords.verify, account.password_hash if account else None, password)
            if account is None or not matches or not account.is_active:
                break
            login = await self._begin(account.id, await self._renewed(account, password))
            if login is not None:
                return login
        raise InvalidCredentials(hint="correct them, or reset the password")

    async def session(self, token: Secret) -> Session:
        """Return the session of a token, and move its end.

        Raises:
            InvalidToken: It is unknown, expired, or was revoked.
        """
        policy, hashed = self._policy, digest(token)
        if hashed is None:
            raise InvalidToken(hint="log in")
        found = await self._first(
            sql.FIND_SESSION, FoundSession, token=hashed, now=self._clock.now(), idle=policy.idle, absolute=policy.absolute
        )
        session = None if found is None else Session(found.id, found.user_id, found.expires_at)
        if found is not None and found.slides_to is not None:
            session = await self._first(sql.MOVE_SESSION, Session, id=found.id, slides_to=found.slides_to)
        if session is None:
            raise InvalidToken(hint="log in")
        return session

    async def end(self, token: Secret) -> bool:
        """Log out; return whether there was such a session."""
        hashed = digest(token)
        return hashed is not None and await self._first(sql.END_SESSION, UUID, token=hashed) is not None

    async def end_all(self, user: UUID) -> int:
        """Log a user out everywhere; return how many sessions ended."""
        return len(await self._all(sql.END_SESSIONS, UUID, user=user))

    async def change_password(self, user: UUID, old: Secret, new: Secret) -> None:
        """Set a new password; every session and every mailed token of the user ends.

        Raises:
            InvalidCredentials: The old password is wrong, or somebody else changed it meanwhile.
            UsageError: The new password is too short.
            TooManyAttempts: It was tried too often.
        """
        self._passwords.check(new)
        await self._count("change", str(user), self._policy.attempts)
        account = await self._first(sql.ACCOUNT_OF, Account, user=user)
        seen = account.password_hash if account else None
        if not await aside(self._passwords.verify, seen, old):
            raise InvalidCredentials(hint="correct it, or reset the password")
        hashed = await aside(self._passwords.hash, new)
        if await self._first(sql.CHANGE_PASSWORD, UUID, user=user, seen=seen, hash=hashed) is None:
            raise InvalidCredentials(hint="log in again")

    async def request_reset(self, email: str) -> Secret | None:
        """Return the token to mail to the address, or None where no account has it: tell the stranger nothing of that.

        An address that only counts as the account's, such as one with ß for ss, may be another mailbox, and gets None.

        Raises:
            TooManyAttempts: This address was tried too often.
        """
        return await self._mailed("reset", email, self._policy.reset)

    async def reset_password(self, token: Secret, new: Secret) -> UUID:
        """Set a new password by a mailed token, once; every session of the user ends.

        Raises:
            InvalidToken: It is unknown, was used, or is too old.
            UsageError: The new password is too short; the token stays good.
            TooManyAttempts: Too many tokens were tried.
        """
        self._passwords.check(new)
        hashed_token = await self._guess(token)
        hashed = await aside(self._passwords.hash, new)
        return await self._used(sql.RESET_PASSWORD, token=hashed_token, hash=hashed)

    async def request_verification(self, email: str) -> Secret | None:
        """Return the token to mail to the address, or None where no pending account has it.

        Raises:
            TooManyAttempts: This address was tried too often.
        """
        return await self._mailed("verify", email, self._policy.verify)

    async def verify_email(self, token: Secret) -> UUID:
        """Let a pending account log in, by a mailed token, once.

        Raises:
            InvalidToken: It is unknown, was used, or is too old.
            TooManyAttempts: Too many tokens were tried.
        """
        return await self._used(sql.VERIFY_EMAIL, token=await self._guess(token))

    async def has_role(self, user: UUID, role: str) -> bool:
        """Return whether an active user has the role, by default or granted."""
        return bool(await self._first(sql.HAS_ROLE, bool, user=user, role=role))

    async def roles(self, user: UUID) -> list[str]:
        """Return the names of a user's roles."""
        return await self._all(sql.ROLES, str, user=user)

    async def grant_role(self, user: UUID, role: str, *, by: UUID | None = None) -> None:
        """Give a user a role beside the default one; giving it twice does nothing.

        Raises:
            NotFound: There is no such user or role.
        """
        if await self._first(sql.GRANT_ROLE, UUID, user=user, role=role, by=by) is None:
            raise NotFound("no such user or role", hint="add the role by a migration")

    async def revoke_role(self, user: UUID, role: str) -> bool:
        """Take a granted role away; return whether the user had it. The default role stays."""
        return await self._first(sql.REVOKE_ROLE, UUID, user=user, role=role) is not None

    async def _first(self, query: Query, into: Callable[..., T], **values: object) -> T | None:
        rows = await self._all(query, into, **values)
        return rows[0] if rows else None

    async def _all(self, query: Query, into: Callable[..., T], **values: object) -> list[T]:
        """Run a statement, and say what it writes: else a cache that is bound to the handle forgets everything."""
        return await self._statements.sql(query, into=into, writes=sql.WRITES.get(query, ()), **values)

    async def _account(self, email: str) -> Account | None:
        if not _is_email(email):
            return None
        return await self._first(sql.ACCOUNT, Account, digests=self._addresses.digests(email))

    async def _count(self, what: str, whom: str, rate: Rate) -> None:
        """Count an attempt; a limiter that others may read sees no address."""
        counted = NORMAL_FORMS["email"](whom) if len(whom) <= _LONGEST_EMAIL else whom  # a longer one is nobody's
        name = hashlib.sha256(counted.encode(errors="replace")).hexdigest()
        wait = await self._limiter.take(f"pgkeel:{what}:{name}", rate)
        if wait is not None:
            raise TooManyAttempts(wait)

    async def _renewed(self, account: Account, password: Secret) -> str:
        """Return the hash that is in force, made with today's parameters if it was not."""
        seen = account.password_hash
        if not self._passwords.is_outdated(seen):
            return seen
        hashed = await aside(self._passwords.hash, password)
        renewed = await self._first(sql.REHASH, UUID, user=account.id, seen=seen, hash=hashed)
        return hashed if renewed else seen

    async def _begin(self, user: UUID, seen: str) -> Login | None:
        token = new_token()
        row = await self._first(
            sql.BEGIN_SESSION,
            Session,
            user=user,
            hash=seen,
            token=digest(token),
            now=self._clock.now(),
            idle=self._policy.idle,
        )
        return Login(token, row.id, row.user_id, row.expires_at) if row else None

    async def _mailed(self, purpose: str, email: str, lifetime: timedelta) -> Secret | None:
        await self._count(purpose, email, self._policy.attempts)
        token = new_token()
        if not _is_email(email):
            return None
        sent = await self._first(
            sql.SEND_TOKEN,
            Addressee,
            digests=self._addresses.digests(email),
            purpose=purpose,
            token=digest(token),
            now=self._clock.now(),
            lifetime=lifetime,
        )
        return token if sent and self._addresses.is_own(sent, email) else None

    async def _guess(self, token: Secret) -> str:
        """Return the hash of a mailed token that may be one."""
        await self._count("token", "", self._policy.guesses)
        hashed = digest(token)
        if hashed is None:
            raise InvalidToken(hint="ask for a new one")
        return hashed

    async def _used(self, query: Query, **values: object) -> UUID:
        user = await self._first(query, UUID, now=self._clock.now(), **values)
        if user is None:
            raise InvalidToken(hint="ask for a new one")
        return user


def _is_email(email: str) -> bool:
    """Return whether a text may be an address; which it is, only a mail can tell."""
    name, _, host = email.strip().rpartition("@")
    is_text = email.isprintable() and len(email) <= _LONGEST_EMAIL
    return bool(name and host and is_text)


def _check_email(email: str) -> None:
    if not _is_email(email):
        raise UsageError("that is no e-mail address", hint="write it as name@host")
