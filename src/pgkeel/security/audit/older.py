"""Say it when the log was made by an older version of pgkeel, which knew less of what is read from it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from pgkeel.core.errors import Refused

__all__ = ["OlderLog", "reading"]


class OlderLog(Refused):
    """An older version of pgkeel made this audit log."""

    code = "older_audit_log"


@contextmanager
def reading() -> Iterator[None]:
    """Read the log in the block.

    Raises:
        OlderLog: It lacks what this version reads.
    """
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise OlderLog(hint="`pgkeel security audit apply`, or `pgkeel up`, brings it up to date") from None
