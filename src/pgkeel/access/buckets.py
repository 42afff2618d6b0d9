"""Times in buckets, for reports: `aggregate(by=[bucket(Post.created_at, "day")], posts=func.count())`."""

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, func, literal_column

from pgkeel.core.errors import UsageError

__all__ = ["bucket"]

_UNITS = ("minute", "hour", "day", "week", "month", "quarter", "year")
_EPOCH = "timestamptz '2000-01-03 00:00:00+00'"  # a Monday, so that weeks of several days begin as one expects


def bucket(column: ColumnElement[Any] | Any, width: str | timedelta, *, zone: str = "UTC") -> ColumnElement[Any]:  # noqa: ANN401 - a column to type checkers that know SQLAlchemy
    """Return the beginning of the bucket that a time falls into, under the column's name.

    Args:
        column: A column of times.
        width: `minute`, `hour`, `day`, `week`, `month`, `quarter`, `year` of a calendar, or any length of whole seconds.
        zone: The time zone of the calendar; a length knows none.

    Raises:
        UsageError: There is no such unit, zone or length.
    """
    name = str(column.name)
    if isinstance(width, timedelta):
        seconds = width.total_seconds()
        if seconds < 1 or seconds != int(seconds):
            raise UsageError("a bucket has whole seconds, one at least", hint="timedelta(minutes=15)")
        return func.date_bin(literal_column(f"interval '{int(seconds)} seconds'"), column, literal_column(_EPOCH)).label(name)
    if width not in _UNITS:
        raise UsageError(f"there is no bucket {width[:32]!r}", hint=f"one of {', '.join(_UNITS)}, or a timedelta")
    if zone not in available_timezones():
        raise UsageError(f"there is no time zone {zone[:64]!r}", hint="an IANA name such as Europe/Berlin")
    return func.date_trunc(literal_column(f"'{width}'"), column, literal_column(f"'{zone}'")).label(name)
