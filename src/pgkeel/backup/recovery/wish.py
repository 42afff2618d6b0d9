"""What a person asks for, in their words: a time, a name, a place in the WAL, or the statement that should not have been."""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from pgkeel.backup.lsn import parse_lsn
from pgkeel.core.errors import UsageError

__all__ = ["Statement", "Wish", "time_from", "wish_from"]

Word = Literal["DELETE", "UPDATE", "TRUNCATE", "DROP"]

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(second|sec|s|minute|min|m|hour|h|day|d)s?\s+ago", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_STATEMENT = re.compile(r"(delete|update|truncate|drop)\s+(?:(?:on|from|table)\s+)?(.+)", re.IGNORECASE)
_NAME = re.compile(r'(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")(?:\.(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+"))?')
_XIDS = 1 << 32  # the WAL has the lower half of what `pg_current_xact_id()` says
_ROWS = re.compile(r"(>=|<=|=|>|<)?\s*(\d+)")


class Statement(msgspec.Struct, frozen=True):
    """A kind of statement on a table.

    Attributes:
        word: What was done.
        schema: The table's schema.
        table: The table.
    """

    word: Word
    schema: str
    table: str

    def __str__(self) -> str:
        """Say it as it is typed."""
        return f"{self.word} on {self.schema}.{self.table}"


class Wish(msgspec.Struct, frozen=True):
    """Where a recovery should end; all None means: as late as possible.

    Attributes:
        time: The state as at this time.
        lsn: The state at this byte position of the WAL.
        name: The state at this restore point.
        xid: The state before this transaction.
        before: The state before a statement.
        latest: Whether the last of several matching transactions is meant.
        rows: `(comparison, number)` that the transaction's rows must satisfy.
        timeline: The timeline, where not the newest.
    """

    time: datetime | None = None
    lsn: int | None = None
    name: str | None = None
    xid: int | None = None
    before: Statement | None = None
    latest: bool = False
    rows: tuple[str, int] | None = None
    timeline: int | None = None

    @property
    def is_searched(self) -> bool:
        """Whether it names what happened, and not where."""
        return not (self.name is None and self.xid is None and self.before is None)


def wish_from(
    to: str | None = None,
    *,
    before_xid: int | None = None,
    before: str | None = None,
    latest: bool = False,
    rows: str | None = None,
    timeline: int | None = None,
    now: datetime,
) -> Wish:
    """Return what the options of a command ask for.

    Args:
        to: ISO 8601 (without an offset: UTC), "N minutes ago", an LSN, or the name of a restore point.
        before_xid: A transaction.
        before: "DELETE|UPDATE|TRUNCATE|DROP on [SCHEMA.]TABLE".
        latest: See `Wish`.
        rows: For example ">= 1000".
        timeline: See `Wish`.
        now: What "ago" counts from.

    Raises:
        UsageError: Two of them contradict each other, or one cannot be read.
    """
    if sum(one is not None for one in (to, before_xid, before)) > 1:
        raise UsageError("--to, --before-xid and --before exclude each other", hint="give one of them")
    if before is None and (latest or rows):
        raise UsageError("--latest and --rows choose among the transactions of --before", hint='add --before "DELETE on TABLE"')
    if before is not None:
        return Wish(before=_statement(before), latest=latest, rows=_rows(rows), timeline=timeline)
    if before_xid is not None:
        return Wish(xid=before_xid % _XIDS, timeline=timeline)
    return Wish(timeline=timeline) if to is None else _place(to, timeline, now)


def time_from(text: str, now: datetime) -> datetime:
    """Return the time that people's words mean: ISO 8601 (no offset: UTC) or "10 minutes ago".

    Raises:
        UsageError: They mean none.
    """
    time = _time(text.strip(), now)
    if time is None:
        raise UsageError(f"{text!r} is not a time", hint='write 2026-11-25T10:00:00Z or "10 minutes ago"')
    return time


def _place(text: str, timeline: int | None, now: datetime) -> Wish:
    if not text.strip():  # a variable of a script that is not set; all that is known would not be what is meant
        raise UsageError("the point is empty", hint='write a time, "10 minutes ago", a restore point, or an LSN')
    if _LSN.fullmatch(text.strip()):
        return Wish(lsn=parse_lsn(text.strip()), timeline=timeline)
    time = _time(text.strip(), now)
    if time is None:
        return Wish(name=text, timeline=timeline)
    if time > now:
        raise UsageError(f"{time.isoformat()} has not come yet", hint="without --to everything that is known is recovered")
    return Wish(time=time, timeline=timeline)


def _time(text: str, now: datetime) -> datetime | None:
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2][0].lower()])
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as err:
        raise UsageError(f"{text!r} is no time that there was", hint='write 2026-11-25T10:00:00Z or "10 minutes ago"') from err
    except ValueError:
        return None


def _statement(text: str) -> Statement:
    match = _STATEMENT.fullmatch(text.strip())
    if match is None or not _NAME.fullmatch(match[2].strip()):
        raise UsageError(f"{text!r} names no statement", hint='write "DELETE on posts"; also UPDATE, TRUNCATE, DROP')
    parts = re.findall(r'"(?:[^"]|"")+"|[A-Za-z_][\w$]*', match[2])
    names = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
    word = msgspec.convert(match[1].upper(), Word)
    return Statement(word, names[0] if len(names) == 2 else "public", names[-1])


def _rows(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    match = _ROWS.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a number of rows", hint='write ">= 1000"')
    return match[1] or "=", int(match[2])
