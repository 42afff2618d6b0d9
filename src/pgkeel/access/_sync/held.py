# Generated from pgkeel/access/_async/held.py by tools/unasync.py; do not edit.
"""Hold one connection for several statements that belong together."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgkeel.access._drivers._sync.port import Connection
from pgkeel.access._sync.runner import Runner

__all__ = ["held", "translated"]


@contextmanager
def held(runner: Runner, doing: str) -> Iterator[Connection]:
    """Hold a connection of the pool; it is closed when anything fails, for then nobody knows what it is in the middle of."""
    slot = runner.slot(doing)
    try:
        yield slot.connection
    except BaseException:
        runner.pool.discard(slot)
        raise
    runner.pool.release(slot)


@contextmanager
def translated(runner: Runner, doing: str) -> Iterator[None]:
    """Let a driver's error come out as ours; a caller's own work does not belong inside: drivers raise plain `OSError`, too."""
    try:
        yield
    except runner.pool.driver.errors as err:
        failure = runner.failure(err, doing)
    else:
        return
    raise failure
