"""Hold one connection for several statements that belong together."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pgkeel.access._async.runner import Runner
from pgkeel.access._drivers._async.port import Connection

__all__ = ["held", "translated"]


@asynccontextmanager
async def held(runner: Runner, doing: str) -> AsyncIterator[Connection]:
    """Hold a connection of the pool; it is closed when anything fails, for then nobody knows what it is in the middle of."""
    slot = await runner.slot(doing)
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
