"""Make the file of a new migration from the design's template."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pgkeel.core.errors import UsageError
from pgkeel.migrations.grammar import parse_name
from pgkeel.migrations.source import Source

__all__ = ["TEMPLATE", "new", "next_versions", "write_new"]

_LONGEST = 1_000  # letters of the words; a file name holds fewer, and to normalise very many marks takes minutes

TEMPLATE = """-- Up Migration
BEGIN;

COMMIT;

-- Down Migration
BEGIN;

COMMIT;
"""


def new(source: Source, words: str, *, now: datetime, text: str = TEMPLATE) -> str:
    """Make a file and return its path; its version is later than every other's. It is there completely or not at all.

    Args:
        source: Whose folder; it is made where it is missing.
        words: What the migration does: `add phone` becomes `…_add_phone.sql`.
        now: The time it is named after.
        text: What it holds.

    Raises:
        UsageError: The words hold no letter or digit, or the folder cannot be written.
    """
    letters = unicodedata.normalize("NFKD", words[:_LONGEST].lower())
    name = re.sub(r"[^a-z0-9]+", "_", "".join(one for one in letters if not unicodedata.combining(one))).strip("_")  # ü as u
    if not name:
        raise UsageError(f"{words!r} holds no letter or digit", hint="say what it does: `pgkeel migrate new add phone`")
    path = source.folder / f"{next_versions(source, now, 1)[0]}_{name}.sql"
    write_new(path, text)
    return str(path)


def write_new(path: Path, text: str) -> None:
    """Write a file that is there completely or not at all; its folder is made where it is missing.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(path)
    except OSError as err:
        hint = "make the folder writable, or name another one in [migrations] directory"
        raise UsageError(f"{path} cannot be written: {err.strerror}", hint=hint) from err


def next_versions(source: Source, now: datetime, count: int) -> tuple[str, ...]:
    """Return versions that are later than every file's, each a second after the one before."""
    paths = source.folder.glob("*.sql") if source.folder.is_dir() else ()
    newest = max((parse_name(path.name)[0] for path in paths if not path.name.startswith(".")), default="")
    first = now.astimezone(UTC)
    if f"{first:%Y%m%d%H%M%S}" <= newest:
        first = datetime.strptime(f"{newest}+0000", "%Y%m%d%H%M%S%z") + timedelta(seconds=1)
    return tuple(f"{first + timedelta(seconds=number):%Y%m%d%H%M%S}" for number in range(count))
