"""Make the file of a new migration from the design's template."""

import re
from datetime import UTC, datetime, timedelta

from pgkeel.core.errors import UsageError
from pgkeel.migrations.grammar import parse_name
from pgkeel.migrations.source import Source

__all__ = ["TEMPLATE", "new"]

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
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if not name:
        raise UsageError(f"{words!r} holds no letter or digit", hint="say what it does: `pgkeel migrate new add phone`")
    path = source.folder / f"{_next_version(source, now)}_{name}.sql"
    try:
        source.folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(path)
    except OSError as err:
        hint = "make the folder writable, or name another one in [migrations] directory"
        raise UsageError(f"{path} cannot be written: {err.strerror}", hint=hint) from err
    return str(path)


def _next_version(source: Source, now: datetime) -> str:
    paths = source.folder.glob("*.sql") if source.folder.is_dir() else ()
    newest = max((parse_name(path.name)[0] for path in paths if not path.name.startswith(".")), default="")
    version = f"{now.astimezone(UTC):%Y%m%d%H%M%S}"
    if version > newest:
        return version
    moment = datetime.strptime(f"{newest}+0000", "%Y%m%d%H%M%S%z")
    return f"{moment + timedelta(seconds=1):%Y%m%d%H%M%S}"
