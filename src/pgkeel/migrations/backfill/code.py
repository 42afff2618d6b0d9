"""What changes the rows of one batch: the statement of the file, or Python code that the file names."""

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise

from psycopg import sql

from pgkeel.core.errors import NotFound
from pgkeel.migrations.backfill.keys import BackfillKey
from pgkeel.migrations.statement import split
from pgkeel.postgres import Connection

__all__ = ["Change", "Resolve", "Waits", "change_by", "imported"]

Change = Callable[[Connection, BackfillKey, BackfillKey], int]
Resolve = Callable[[str], Change]
Waits = Callable[[Connection, str], bool]


def imported(name: str) -> Change:
    """Return the function `module:function`: called as `function(connection, lo, hi)` inside the batch's transaction.

    It changes the rows with `lo < key <= hi` and returns how many it changed; it neither commits nor rolls back.

    Raises:
        NotFound: There is no such module or function.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function, None)
    except ModuleNotFoundError as err:
        hint = "run pgkeel where the module can be imported; the project's folder is searched"
        raise NotFound(f"the backfill's code {name} cannot be imported: {err}", hint=hint) from err
    if not callable(found):
        raise NotFound(f"the module {module} has no function {function}", hint="correct code= in the file")
    return found  # type: ignore[no-any-return]


def change_by(statement: str) -> Change:
    """Return what runs a statement with its `:lo` and `:hi` bound as values."""
    query = sql.SQL(_bound(statement))

    def change(connection: Connection, lo: BackfillKey, hi: BackfillKey) -> int:
        return max(0, connection.execute(query, {"lo": lo, "hi": hi}).rowcount)

    return change


def _bound(statement: str) -> str:
    """Return the statement in the driver's form; a `:lo` inside a literal or comment stays what it is."""
    tokens = next(split(statement, 0, len(statement))).tokens
    text, place = "", 0
    for colon, name in pairwise(tokens):
        if colon.text == ":" and name.text in {"lo", "hi"} and name.start == colon.end:
            text += statement[place : colon.start].replace("%", "%%") + f"%({name.text})s"
            place = name.end
    return text + statement[place:].replace("%", "%%")
