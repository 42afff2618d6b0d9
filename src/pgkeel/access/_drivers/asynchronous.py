"""Choose the driver of the async form."""

from collections.abc import Mapping

from pgkeel.access._drivers._async.port import Driver
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url

__all__ = ["DEFAULT", "driver_for"]

DEFAULT = "asyncpg"


def driver_for(name: str, url: Url, settings: Mapping[str, str]) -> Driver:
    """Return the driver: `asyncpg`, or `psycopg` where channel binding is asked for.

    Args:
        name: Its name.
        url: Where to.
        settings: Settings of every session.

    Raises:
        UsageError: There is no such driver.
    """
    if name == "asyncpg":
        from pgkeel.access._drivers.asyncpg_driver import AsyncpgDriver  # noqa: PLC0415 - only the driver that is used

        return AsyncpgDriver(url, settings)
    if name == "psycopg":
        from pgkeel.access._drivers.psycopg_async import PsycopgAsyncDriver  # noqa: PLC0415 - only the driver that is used

        return PsycopgAsyncDriver(url, settings)
    raise UsageError(f"there is no async driver {name!r}", hint="asyncpg or psycopg")
