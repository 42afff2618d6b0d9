"""What joins programs that push to programs that pull: a pipe with a thread behind it, a reader ahead, errors that are kept."""

import contextlib
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import IO, Self

__all__ = ["Ahead", "End", "Pipe", "own_errors"]

_ROOM = 2**20  # what an account may ask for; 16 times what a pipe has, and so a sixteenth of the turns between its ends
_PIECE = 2**18
_PIECES_AHEAD = 16


class End:
    """A file that pyrage reads or writes: what goes wrong in it is kept, because pyrage only passes the text on."""

    failure: Exception | None = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what goes wrong in the block."""
        try:
            yield
        except Exception as err:
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
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _ROOM)
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
    """A file that a thread reads some pieces ahead of its reader: what makes the content works while its reader does."""

    def __init__(self, source: IO[bytes]) -> None:
        """Take the file; its reading begins where the block begins."""
        self._source = source
        self._pieces: queue.Queue[bytes | Exception] = queue.Queue(_PIECES_AHEAD)
        self._is_over = False
        self._rest = memoryview(b"")

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
                self._pieces.get(timeout=0.01)

    def read(self, size: int) -> bytes | memoryview:
        """Return so many bytes, less at the end of the file only.

        Raises:
            Exception: What the file raised.
        """
        if 0 < size <= len(self._rest):
            return self._taken(size)
        parts = []
        while size and (part := self._taken(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _taken(self, most: int) -> memoryview:
        if not self._rest and not self._is_over:
            piece = self._pieces.get()
            if isinstance(piece, Exception):
                self._is_over = True
                raise piece
            self._is_over = not piece
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken

    def _run(self) -> None:
        try:
            piece = self._source.read(_PIECE)
            while piece and not self._is_over:
                self._pieces.put(piece)
                piece = self._source.read(_PIECE)
            self._pieces.put(b"")
        except Exception as err:  # noqa: BLE001 - raised again where the content is read
            self._pieces.put(err)
