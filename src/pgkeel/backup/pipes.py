"""What joins programs that push to programs that pull: a pipe with a thread behind it, and files that keep their own errors."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import IO

__all__ = ["End", "Pipe", "own_errors"]

_ROOM = 2**20  # what an account may ask for; 16 times what a pipe has, and so a sixteenth of the turns between its ends
_PIECE = 2**18


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
        self._source = os.fdopen(reading, "rb")
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
