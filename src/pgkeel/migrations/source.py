"""Where migrations come from: one folder a source, each with an order of its own."""

from pathlib import Path

import msgspec

__all__ = ["PGKEEL", "Source"]


class Source(msgspec.Struct, frozen=True):
    """A folder of migration files and the name under which the ledger knows them.

    Attributes:
        name: `pgkeel` (our internal objects), `reference` (the design's tables) or `app` (the team's).
        folder: Where the files are; a folder that does not exist holds none.
    """

    name: str
    folder: Path


PGKEEL = Source("pgkeel", Path(__file__).parents[1] / "postgres" / "migrations")
