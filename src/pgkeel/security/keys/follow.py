"""Keep a process's key ring as the database has it: read at the start, and again from time to time, beside everything else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import psycopg

from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger
from pgkeel.core.url import Url
from pgkeel.postgres import connect, describe
from pgkeel.security.keys.provider import KeyProvider
from pgkeel.security.keys.ring import KeyRing
from pgkeel.security.keys.store import keys_of, load_ring

__all__ = ["follow"]

_EVERY = timedelta(seconds=30)
log = get_logger(__name__)


@contextmanager
def follow(url: Url | str, provider: KeyProvider, *, every: timedelta = _EVERY) -> Iterator[KeyRing]:
    """Lend the key ring of a database; a thread reads it again every so often, and keeps what it has while it cannot.

    `with follow(url, provider) as keys: Database(url, keys=keys)`

    Args:
        url: Where its table is; the login needs to read `pgkeel.keys`.
        provider: What wrapped the keys.
        every: `[security] key_refresh`.

    Raises:
        Unreachable: The database cannot be reached.
        WrongProvider: The provider did not wrap its keys.
    """
    place = Url.parse(url) if isinstance(url, str) else url
    with connect(place, application="pgkeel keys") as connection:
        ring = load_ring(connection, provider, partial(connect, place, application="pgkeel keys"))
        if ring.subjects is not None:
            ring.subjects.refresh(connection)
    end = threading.Event()
    thread = threading.Thread(target=_read_again, args=(place, ring, every, end), name="pgkeel keys", daemon=True)
    thread.start()
    try:
        yield ring
    finally:
        end.set()
        thread.join()
        if ring.subjects is not None:
            ring.subjects.close()


def _read_again(url: Url, ring: KeyRing, every: timedelta, end: threading.Event) -> None:
    while not end.wait(every.total_seconds()):
        try:
            with connect(url, application="pgkeel keys") as connection:
                ring.take(keys_of(connection))
                if ring.subjects is not None:
                    ring.subjects.refresh(connection)
        except Exception as err:  # noqa: BLE001 - a provider may raise anything, and the thread has to go on
            log.warning("keys.not_read", error=_told(err))


def _told(err: Exception) -> str:
    match err:
        case KeelError():
            return err.message
        case psycopg.Error():
            return describe(err)
        case _:
            return type(err).__name__
