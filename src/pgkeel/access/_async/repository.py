"""The first door: rows of one model, read as frozen structs and written one statement at a time."""

from typing import TypeVar

from pgkeel.access._async.bulk import Bulk
from pgkeel.access._async.pages import Pages
from pgkeel.access._async.reads import Reads
from pgkeel.access._async.reports import Reports
from pgkeel.access._async.searches import Searches
from pgkeel.access._async.writes import Writes

__all__ = ["Repository"]

R_co = TypeVar("R_co", covariant=True)


class Repository(Reads[R_co], Pages[R_co], Searches[R_co], Reports[R_co], Writes[R_co], Bulk[R_co]):
    """Reads and writes the rows of one model; soft-deleted rows are invisible unless asked for by `with_deleted`."""

    __slots__ = ()

    def with_deleted(self) -> "Repository[R_co]":
        """Return the same repository with soft-deleted rows visible."""
        return Repository(self._runner, self._statements, self._secret, with_deleted=True)
