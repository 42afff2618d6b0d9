"""Choose the driver of the async form."""

from pgkeel.access._drivers._async.port import Driver
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url

__all__ = ["DEFAULT", "driver_for"]

DEFAULT = "asyncpg"


def driver_for(name: str, url: Url) -> Driver:
    """Return the driver: `asyncpg`, or `psycopg` where channel binding is asked for.

    Raises:
        UsageError: There is no such driver.
    """
    if name == "asyncpg":
        from pgkeel.access._drivers.asyncpg_driver import AsyncpgDriver  # noqa: PLC0415 - only the driver that is used

        return AsyncpgDriver(url)
    if name == "psycopg":
        from pgkeel.access._drivers.psycopg_async import PsycopgAsyncDriver  # noqa: PLC0415 - only the driver that is used

        return PsycopgAsyncDriver(url)
    raise UsageError(f"there is no async driver {name!r}", hint="asyncpg or psycopg")
