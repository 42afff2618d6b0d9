"""What a driver's error says about itself, and the error of ours that a caller can answer.

The server's message text is repeated only for codes whose messages name objects, never for those that repeat values.
"""

import re

import msgspec

from pgkeel.access import errors
from pgkeel.core.errors import KeelError

__all__ = ["Diagnosis", "copied_line", "error_of"]

_LINE = re.compile(r"COPY .+?, \D*?(\d+)")
_NAMES_ONLY = ("0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57")
_CONSTRAINTS: dict[str, tuple[type[errors.Constraint], str]] = {
    "23502": (errors.CheckFailed, "may not be NULL"),
    "23503": (errors.ForeignKeyMissing, "points to a row that does not exist, or is still pointed to"),
    "23505": (errors.AlreadyExists, "exists already"),
    "23514": (errors.CheckFailed, "breaks a CHECK constraint"),
    "23P01": (errors.AlreadyExists, "overlaps another row"),
}
_STATEMENTS: dict[str, type[errors.StatementFailed]] = {
    "25006": errors.ReadOnly,
    "40001": errors.RetryNeeded,
    "40P01": errors.RetryNeeded,
    "55P03": errors.Timeout,
    "57014": errors.Timeout,
    "25P03": errors.Timeout,
    "25P04": errors.Timeout,
}


class Diagnosis(msgspec.Struct, frozen=True):
    """The parts of an error that hold no values.

    Attributes:
        sqlstate: The server's code; "" when the error is the driver's own.
        message: The primary message, never DETAIL.
        constraint: Constraint name, or "".
        table: Table name, or "".
        column: Column name, or "".
        routine: The function of the server's source that raised it: where a code has many meanings, and a text many languages.
        is_lost: Whether the connection ended.
        is_value: Whether the driver refused a value.
        kind: The driver's class of error, for messages.
        line: The row of a COPY at which it happened, from 1; 0 when it is not known.
    """

    sqlstate: str = ""
    message: str = ""
    constraint: str = ""
    table: str = ""
    column: str = ""
    routine: str = ""
    is_lost: bool = False
    is_value: bool = False
    kind: str = ""
    line: int = 0


def copied_line(context: str | None) -> int:
    """Return the row that the server's context of a failed COPY names ("COPY posts, line 3, …" in its language), else 0."""
    found = _LINE.match(context or "")
    return int(found[1]) if found else 0


def error_of(diagnosis: Diagnosis, doing: str) -> KeelError:
    """Return our error for what happened while doing something; `doing` is a fixed text without values."""
    state = diagnosis.sqlstate
    if diagnosis.is_lost or state[:2] == "08" or state in {"57P01", "57P02", "57P03", "57P05"}:
        return errors.ConnectionLost(f"{doing}: the server ended the connection", hint="try again; a write may have happened")
    if state in _CONSTRAINTS:
        return _constraint_error(diagnosis, doing)
    if diagnosis.is_value or state[:2] == "22" or state in {"42804", "42846"}:
        return _value_error(diagnosis, doing)
    if state == "0A000" and diagnosis.routine == "RevalidateCachedQuery":
        return errors.SchemaChanged(f"{doing}: a migration changed a table meanwhile", hint="run it again", sqlstate=state)
    kind = _STATEMENTS.get(state, errors.StatementFailed)
    said = diagnosis.message if state[:2] in _NAMES_ONLY else ""
    return kind(f"{doing}: {said or diagnosis.kind} ({state or 'driver'})", sqlstate=state)


def _constraint_error(diagnosis: Diagnosis, doing: str) -> errors.Constraint:
    kind, words = _CONSTRAINTS[diagnosis.sqlstate]
    subject = diagnosis.constraint or f"{diagnosis.table}.{diagnosis.column}"
    return kind(
        f"{doing}: {subject} {words}",
        constraint=diagnosis.constraint,
        columns=(diagnosis.column,) if diagnosis.column else (),
        table=diagnosis.table,
        sqlstate=diagnosis.sqlstate,
    )


def _value_error(diagnosis: Diagnosis, doing: str) -> errors.InvalidValue:
    place = f" of column {diagnosis.column}" if diagnosis.column else ""
    code = diagnosis.sqlstate or "driver"
    return errors.InvalidValue(f"{doing}: a value{place} does not fit its type ({code})", sqlstate=diagnosis.sqlstate)
