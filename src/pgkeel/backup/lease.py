"""Who works on a repository, said in the repository itself: it is there while the database is not.

A lease is an object that names its end; nobody waits for a holder that was killed longer than that. One that takes or deletes
backups holds `work/NUMBER`: numbers only grow while a lease lives, and the conditional put lets one of several win. Those
that read hold `reading/NAME` each; what they read is not deleted.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from pgkeel.backup.places import lease_folder
from pgkeel.core import clock
from pgkeel.core.errors import KeelError, LockNotObtained
from pgkeel.core.ids import random_id
from pgkeel.core.log import get_logger
from pgkeel.core.repository import Repository
from pgkeel.core.telling import Report, silent

__all__ = ["LeaseLost", "Reader", "readers_of", "reading", "working"]

log = get_logger(__name__)

_TERM = timedelta(minutes=2)
_LOOK = timedelta(milliseconds=300)


class LeaseLost(KeelError):
    """Another process took the repository's lease over, because ours was not renewed in time."""

    code = "lease_lost"


class Reader(msgspec.Struct, frozen=True):
    """Somebody who reads backups now.

    Attributes:
        holder: Who, as `host:process`.
        until: When the lease ends unless it is renewed.
        backups: Ids of what is read; with everything that these need.
    """

    holder: str
    until: datetime
    backups: tuple[str, ...] = ()


@contextmanager
def working(
    repository: Repository,
    system: str,
    *,
    holder: str,
    term: timedelta = _TERM,
    patience: timedelta = timedelta(),
    report: Report = silent,
) -> Iterator[None]:
    """Be the only one who takes or deletes backups of a cluster while the block runs.

    Args:
        repository: Which repository.
        system: The cluster's system identifier.
        holder: Who we are, for the message that another one gets.
        term: How long the lease outlives a holder that was killed; it is renewed at a third of it.
        patience: How long another holder is waited for.
        report: Hears, once, that somebody is waited for.

    Raises:
        LockNotObtained: Somebody else does.
        LeaseLost: At the end of the block: somebody else took over meanwhile.
    """
    folder = f"{lease_folder(system)}/work"
    held = [_take_patiently(repository, folder, holder, term, patience=patience, report=report)]

    def renew() -> None:
        fresh = _take(repository, folder, holder, term, mine=held[0])
        repository.delete(held[0])
        held[0] = fresh

    with _renewed(renew, term):
        try:
            yield
        finally:
            repository.delete(held[0])


@contextmanager
def reading(
    repository: Repository, system: str, *, holder: str, backups: Sequence[str] = (), term: timedelta = _TERM
) -> Iterator[None]:
    """Keep backups, and what they need, from being pruned while the block runs.

    Args:
        repository: Which repository.
        system: The cluster's system identifier.
        holder: Who we are, for whoever asks why nothing is pruned.
        backups: Ids of what is read.
        term: How long the lease outlives a holder that was killed.
    """
    folder = f"{lease_folder(system)}/reading"
    held = [""]

    def renew() -> None:
        fresh = f"{folder}/{random_id().hex}"
        repository.put(fresh, msgspec.json.encode(Reader(holder, clock.now() + term, tuple(backups))))
        if held[0]:
            repository.delete(held[0])
        held[0] = fresh

    renew()
    with _renewed(renew, term):
        try:
            yield
        finally:
            repository.delete(held[0])


def readers_of(repository: Repository, system: str) -> tuple[Reader, ...]:
    """Return who reads now; leases that ended are deleted on the way."""
    living = []
    for stored in list(repository.list(f"{lease_folder(system)}/reading")):
        reader = _reader(repository.get(stored.key))
        if reader is not None and reader.until > clock.now():
            living.append(reader)
        else:
            repository.delete(stored.key)
    return tuple(living)


def _take_patiently(
    repository: Repository, folder: str, holder: str, term: timedelta, *, patience: timedelta, report: Report
) -> str:
    until, told = clock.monotonic() + patience.total_seconds(), False
    while True:
        try:
            return _take(repository, folder, holder, term)
        except LockNotObtained as err:
            if clock.monotonic() >= until:
                raise
            if not told:
                report(f"waiting: {err.message}")
            told = True
            clock.sleep(_LOOK)


def _take(repository: Repository, folder: str, holder: str, term: timedelta, *, mine: str | None = None) -> str:
    """Return the key of a new lease that follows the newest one, if that one ended or is ours."""
    keys = [stored.key for stored in repository.list(folder)]
    newest = keys[-1] if keys else None
    if newest is not None and newest != mine:
        other = _reader(repository.get(newest))
        if other is not None and other.until > clock.now():
            raise _taken(repository, other)
    fresh = f"{folder}/{int(newest.rpartition('/')[2]) + 1 if newest else 0:012}"
    if not repository.put(fresh, msgspec.json.encode(Reader(holder, clock.now() + term))):
        raise _taken(repository, _reader(repository.get(fresh)))
    for left in keys:
        if left != mine:
            repository.delete(left)
    return fresh


def _taken(repository: Repository, other: Reader | None) -> LockNotObtained:
    who = f"{other.holder} until {other.until:%H:%M:%SZ}" if other else "another process"
    return LockNotObtained(f"repository {repository.name}: {who} works on it", hint="wait for it, or until its lease ends")


def _reader(content: bytes | None) -> Reader | None:
    try:
        return msgspec.json.decode(content or b"", type=Reader)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


@contextmanager
def _renewed(renew: Callable[[], None], term: timedelta) -> Iterator[None]:
    """Renew at a third of the term, from a thread; an error is kept for the end of the block."""
    ended = threading.Event()
    lost: list[KeelError] = []

    def run() -> None:
        while not ended.wait(term.total_seconds() / 3):
            try:
                renew()
            except LockNotObtained as err:
                lost.append(err)
                return
            except KeelError as err:  # the repository may be back before the lease ends
                log.warning("lease.not_renewed", error=err.message)

    thread = threading.Thread(target=run, name="pgkeel lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if lost:
        raise LeaseLost(lost[0].message, hint="look at `pgkeel backup list`, then run it again")
