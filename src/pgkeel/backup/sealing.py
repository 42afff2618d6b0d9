"""Objects as they travel: zstd inside age, cut into parts; the hash of every part is known in clear.

A part is small enough for one conditional put and for memory, so a repository never holds half an object under its name.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from mmap import ACCESS_COPY, mmap
from typing import IO, cast

import msgspec
import pyrage  # type: ignore[import-untyped]
from backports.zstd import ZstdFile

from pgkeel.backup.errors import Damaged, KeyTaken, WrongKey
from pgkeel.backup.expanding import Expanded
from pgkeel.backup.identities import openers_of, recipients_from
from pgkeel.backup.pipes import End, Pipe, own_errors
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

__all__ = ["MISSING", "PART", "Count", "Part", "fault_of", "fetch", "seal", "seal_packed", "store", "unseal", "writer_of"]

PART = 32 * 2**20
_SMALLEST, _SHARE = 8, 4  # the first parts are an eighth of the largest; a later one is a quarter of all before it
MISSING = "missing"
_LEVEL = 1


class Part(msgspec.Struct, frozen=True):
    """One stored piece of a sealed object.

    Attributes:
        key: Where it lies in the repository.
        bytes: Its size there.
        sha256: Of the stored bytes, so that no key is needed to check them.
    """

    key: str
    bytes: int
    sha256: str


class Count:
    """Says after each part how many bytes have been read, of how many."""

    def __init__(self, parts: Iterable[Part], progress: Callable[[int, int], None]) -> None:
        """Take all that will be read, and who hears it."""
        self._done, self._total, self._progress = 0, sum(part.bytes for part in parts), progress

    def of(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield some of them; each counts when the next one is asked for."""
        for part in parts:
            yield part
            self._done += part.bytes
            self._progress(self._done, self._total)


def seal(
    write: Callable[[IO[bytes]], None],
    *,
    key: str,
    repositories: Sequence[Repository],
    recipients: Sequence[str],
    part: int = PART,
) -> tuple[Part, ...]:
    """Store what `write` writes, compressed and encrypted, in every repository and return its parts.

    Args:
        write: Gets a file and writes the clear content into it, in a thread of its own.
        key: Each part is `KEY.NNNNN`.
        repositories: All get the same bytes.
        recipients: Any one of their identities opens it.
        part: Bytes of the largest parts; the first ones are smaller.

    Raises:
        KeyTaken: Something else lies under one of the keys.
        WrongKey: A recipient is wrong; nothing was written.
    """
    readers = recipients_from(recipients)
    with _cutting(key, repositories, part) as cutter:
        with Pipe(partial(_compress, write)) as source, own_errors(cutter):
            pyrage.encrypt_io(source, cutter, readers)
        return cutter.finish()  # not before the pipe says that all was written


def seal_packed(
    source: IO[bytes],
    end: End,
    *,
    key: str,
    repositories: Sequence[Repository],
    recipients: Sequence[str],
    part: int = PART,
) -> tuple[Part, ...]:
    """Store what a file holds, which is zstd already, encrypted, in every repository and return its parts.

    Args:
        source: The file.
        end: What keeps the errors that are raised while it is read.
        key: Each part is `KEY.NNNNN`.
        repositories: All get the same bytes.
        recipients: Any one of their identities opens it.
        part: Bytes of the largest parts; the first ones are smaller.

    Raises:
        KeyTaken: Something else lies under one of the keys.
        WrongKey: A recipient is wrong; nothing was written.
    """
    readers = recipients_from(recipients)
    with _cutting(key, repositories, part) as cutter:
        with own_errors(cutter), own_errors(end):
            pyrage.encrypt_io(source, cutter, readers)
        return cutter.finish()


def unseal(
    repositories: Sequence[Repository], parts: Iterable[Part], *, identity: Secret, read: Callable[[IO[bytes]], None]
) -> None:
    """Check, decrypt and expand an object into a file that `read` reads.

    Args:
        repositories: Each part is taken from the first one that has it whole.
        parts: In their order.
        identity: What opens it.
        read: Gets a file of the clear content.

    Raises:
        Damaged: A part is whole in no repository; what `read` got until then is not to be used.
        WrongKey: The identity does not open it.
    """
    source = _Joined(repositories, parts)
    openers = openers_of(identity)

    def decrypt(sink: IO[bytes]) -> None:
        try:
            with own_errors(source):
                pyrage.decrypt_io(source, sink, openers)
        except pyrage.DecryptError as err:
            raise WrongKey(
                "this identity does not open the object",
                hint="set backup.identity to the right one, or to a file with several, a line each",
            ) from err

    with Pipe(decrypt) as clear:
        read(cast("IO[bytes]", Expanded(clear)))


def writer_of(content: bytes) -> Callable[[IO[bytes]], None]:
    """Return what `seal` takes of a content that is in memory."""

    def write(sink: IO[bytes]) -> None:
        sink.write(content)

    return write


def _compress(write: Callable[[IO[bytes]], None], sink: IO[bytes]) -> None:
    with ZstdFile(sink, "w", level=_LEVEL) as compressed:
        write(cast("IO[bytes]", compressed))


@contextmanager
def _cutting(key: str, repositories: Sequence[Repository], part: int) -> Iterator["_Cutter"]:
    with ThreadPoolExecutor(2 * len(repositories) + 1, "pgkeel backup part") as pool:
        yield _Cutter(key, repositories, part, pool)


class _Cutter(End):
    """A file that stores what is written to it, part by part: one is stored and hashed while the next one fills.

    Two buffers take turns: fresh memory for each part costs more than encrypting into it. The last two are stored together.
    """

    def __init__(self, key: str, repositories: Sequence[Repository], part: int, pool: Executor) -> None:
        self._key = key
        self._repositories = repositories
        self._part = part
        self._pool = pool
        self._filling, self._storing = (mmap(-1, part, access=ACCESS_COPY) for _ in range(2))  # unfilled, it takes no memory
        self._size = self._stored = self._count = 0
        self._wanted = self._next_size()
        self._parts: list[Part] = []
        self._settle: Callable[[], None] = lambda: None  # waits for the part that is being stored

    def write(self, content: bytes) -> int:
        rest = memoryview(content)
        while rest:
            taken = rest[: self._wanted - self._size]
            end = self._size + len(taken)
            self._filling[self._size : end] = taken
            rest, self._size = rest[len(taken) :], end
            if self._size == self._wanted:
                with self.kept():
                    self._store()
        return len(content)

    def _next_size(self) -> int:
        """Return the bytes of the next part: of a small object too, little is left to store when its last byte comes."""
        return min(self._part, max(self._part // _SMALLEST, self._stored // _SHARE))

    def flush(self) -> None:
        """Nothing is stored before a part is whole."""

    def finish(self) -> tuple[Part, ...]:
        if self._size or not self._count:
            earlier, self._settle = self._settle, lambda: None  # its buffer is not filled again
            self._store()
            earlier()
        self._settle()
        return tuple(self._parts)

    def _store(self) -> None:
        self._settle()
        content = memoryview(self._filling)[: self._size]
        self._filling, self._storing = self._storing, self._filling
        key = f"{self._key}.{self._count:05}"
        self._count, self._stored, self._size = self._count + 1, self._stored + len(content), 0
        self._wanted = self._next_size()
        puts = [self._pool.submit(store, repository, key, content) for repository in self._repositories]
        digest = self._pool.submit(lambda: hashlib.sha256(content).hexdigest())

        def settle() -> None:
            for put in puts:
                put.result()
            self._parts.append(Part(key, len(content), digest.result()))
            content.release()

        self._settle = settle


def store(repository: Repository, key: str, content: bytes | memoryview) -> None:
    """Put an object; the same one may be there already, because the answer to an earlier attempt was lost.

    Raises:
        KeyTaken: Something else lies there.
    """
    if not repository.put(key, content) and repository.get(key) != content:
        raise KeyTaken(
            f"repository {repository.name}: another object lies under {key}", hint="`pgkeel backup verify` shows which"
        )


def fetch(repositories: Sequence[Repository], part: Part) -> bytes:
    """Return a part, proved to be what was stored, from the first repository that has it so.

    Raises:
        Damaged: It is missing, has another size or another hash, in every repository.
        RepositoryUnreachable: No other repository has it, and this one does not answer.
    """
    refusals: list[KeelError] = []
    for repository in repositories:
        try:
            content = repository.get(part.key)
        except KeelError as err:
            refusals.append(err)
            continue
        reason = fault_of(part, content)
        if content is not None and not reason:
            return content
        refusals.append(_damaged(repository, part, reason))
    raise refusals[0] if refusals else UsageError("there is no repository to read from", hint="set backup.repositories")


def _damaged(repository: Repository, part: Part, reason: str) -> Damaged:
    where = f"repository {repository.name}: {part.key}"
    return Damaged(f"{where}: {reason}", hint="take it from another repository", data={"object": part.key, "reason": reason})


def fault_of(part: Part, content: bytes | None) -> str:
    """Return what is wrong with a part as it lies there, or ""."""
    if content is None:
        return MISSING
    if len(content) != part.bytes:
        return f"has {len(content)} bytes instead of {part.bytes}"
    return "" if hashlib.sha256(content).hexdigest() == part.sha256 else "its SHA-256 is another"


class _Joined(End):
    """A file over the parts of an object, each checked before a byte of it is given on."""

    def __init__(self, repositories: Sequence[Repository], parts: Iterable[Part]) -> None:
        self._contents: Iterator[bytes] = (fetch(repositories, part) for part in parts)
        self._held = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._held:
            with self.kept():
                self._held = memoryview(next(self._contents, b""))
        wanted = len(self._held) if size < 0 else size
        given, self._held = self._held[:wanted], self._held[wanted:]
        return bytes(given)
