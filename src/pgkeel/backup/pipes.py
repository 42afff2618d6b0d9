"""What joins programs that push to programs that pull: a pipe with a thread behind it, a reader ahead, errors that are kept."""

import contextlib
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from types import TracebackType
from typing import IO, Self

__all__ = ["ROOM", "Ahead", "End", "Pipe", "own_errors"]

ROOM = 2**20  # what an account may ask for; 16 times what a pipe has, and so a sixteenth of the turns between its ends
_PIECE = 2**18
_CACHED = 2**15


class End:
    """A file that pyrage reads or writes: what goes wrong in it is kept, because pyrage only passes the text on."""

    failure: BaseException | None = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what goes wrong in the block."""
        try:
            yield
        except BaseException as err:
            self.failure = err
            raise


@contextlib.contextmanager
def own_errors(end: End) -> Iterator[None]:
    """Raise what an end has kept instead of what was made of it."""
    try:
        yield
    except Exception as err:
        if end.failure is not None:
            raise end.failure from err
        raise


class Pipe:
    """The reading end of a pipe into which a thread writes; leaving the block waits for it and raises what it raised."""

    def __init__(self, write: Callable[[IO[bytes]], None]) -> None:
        """Take what writes; it begins where the block begins."""
        self._write = write
        self._outcome: Future[None] = Future()

    def __enter__(self) -> IO[bytes]:
        """Start the thread and return the end to read from."""
        reading, writing = os.pipe()
        with contextlib.suppress(AttributeError, OSError):  # Linux only, and no more than the account is allowed
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, ROOM)
        self._source = os.fdopen(reading, "rb", buffering=_PIECE)
        self._thread = threading.Thread(target=self._run, args=(writing,), name="pgkeel backup pipe", daemon=True)
        self._thread.start()
        return self._source

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait for the thread, and raise what it raised."""
        self._source.close()
        self._thread.join()
        failure = self._outcome.exception()
        if failure is not None and not isinstance(failure, BrokenPipeError):
            raise failure from error

    def _run(self, writing: int) -> None:
        try:
            with os.fdopen(writing, "wb", buffering=_PIECE) as sink:
                self._write(sink)
        except Exception as err:  # noqa: BLE001 - raised again where the block ends
            self._outcome.set_exception(err)
        else:
            self._outcome.set_result(None)


class Ahead:
    """A file that a thread reads ahead of its reader: what makes the content works while its reader does."""

    def __init__(self, source: IO[bytes], room: int = _PIECE * 16) -> None:
        """Take the file, and how many bytes may wait; its reading begins where the block begins."""
        self._source = source
        self._batches: queue.Queue[list[bytes] | Exception] = queue.Queue(max(2, room // _PIECE))
        self._batch: Iterator[bytes] = iter(())
        self._piece, self._at = b"", 0
        self._is_over = False

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="pgkeel backup ahead", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the thread, which reads no more."""
        self._is_over = True
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._batches.get(timeout=0.01)

    def read(self, size: int) -> bytes:
        """Return so many bytes, less at the end of the file only.

        Raises:
            Exception: What the file raised.
        """
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield so many bytes, less at the end of the file only; most pieces are as the file gave them, so nothing is copied.

        Raises:
            Exception: What the file raised.
        """
        while size and (self._at < len(self._piece) or self._turn()):
            whole = self._piece
            given = whole if not self._at and len(whole) <= size else whole[self._at : self._at + size]
            self._at += len(given)
            size -= len(given)
            yield given

    def _turn(self) -> bool:
        """Go to the next piece, and return whether there is one."""
        self._piece, self._at = next(self._batch, b""), 0
        if not self._piece and not self._is_over:
            batch = self._batches.get()
            self._is_over = not isinstance(batch, list) or not batch
            if isinstance(batch, Exception):
                raise batch
            self._batch = iter(batch)
            self._piece = next(self._batch, b"")
        return bool(self._piece)

    def _run(self) -> None:
        try:
            batch = self._next_batch()
            while batch and not self._is_over:
                self._batches.put(batch)
                batch = self._next_batch()
            self._batches.put([])
        except Exception as err:  # noqa: BLE001 - raised again where the content is read
            self._batches.put(err)

    def _next_batch(self) -> list[bytes]:
        """Return pieces that fit into a processor's cache one by one, and together are worth a change of threads."""
        pieces: Iterator[bytes] = iter(partial(self._source.read, _CACHED), b"")
        return list(islice(pieces, _PIECE // _CACHED))
