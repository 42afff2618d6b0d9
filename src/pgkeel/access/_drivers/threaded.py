"""Choose the driver of the sync form."""

from collections.abc import Mapping

from pgkeel.access._drivers._sync.port import Driver
from pgkeel.access._drivers.psycopg_sync import PsycopgDriver
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url

__all__ = ["DEFAULT", "driver_for"]

DEFAULT = "psycopg"


def driver_for(name: str, url: Url, settings: Mapping[str, str]) -> Driver:
    """Return the driver: psycopg 3.

    Raises:
        UsageError: There is no such driver.
    """
    if name != "psycopg":
        raise UsageError(f"there is no sync driver {name!r}", hint="psycopg")
    return PsycopgDriver(url, settings)
