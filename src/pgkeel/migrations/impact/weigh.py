"""Weigh what statements do by the size and the traffic of the tables where they will run."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from pgkeel.core.telling import counted
from pgkeel.core.units import Size, format_duration
from pgkeel.migrations.impact.effect import Effect, Lock, blocks, strongest
from pgkeel.migrations.lint.target import Table, Target

__all__ = ["Touched", "weigh_unit"]

_PACE = Size.parse("100MiB")  # a second: what an ordinary disk reads or writes; the answer is an order of magnitude
_UNNOTICED = 0.1  # seconds: what a lock may cost others anyway


class Touched(msgspec.Struct, frozen=True):
    """A table that a statement locks, and what that means there.

    Attributes:
        table: Its name.
        mode: Of the lock; "" where only an earlier lock of the same transaction counts.
        holds_off: `reads and writes`, `writes`, or "".
        is_new: Whether it is not there yet: nobody can wait for it.
        is_rewritten: Whether all of it is written anew.
        is_scanned: Whether every row is read.
        bytes: Its size with indexes and partitions; None where it is not known.
        rows: What the planner believes; None where it is not known.
        calls: Scans and written rows a second; None where it is not known.
        weight: `stops` (others wait for as long as the rows take), `queues` (they wait while the lock is waited for), or "".
        seconds: How long the rows take, roughly.
        message: The same in words; "" where nobody waits.
    """

    table: str
    mode: str
    holds_off: str
    is_new: bool = False
    is_rewritten: bool = False
    is_scanned: bool = False
    bytes: int | None = None
    rows: int | None = None
    calls: float | None = None
    weight: str = ""
    seconds: float = 0.0
    message: str = ""


def weigh_unit(effects: Sequence[Effect], target: Target) -> Iterator[tuple[Touched, ...]]:
    """Yield what each statement of a transaction means: a lock that an earlier one took lasts until the end."""
    kept: tuple[Lock, ...] = ()
    for effect in effects:
        seconds = sum(_seconds(table, target) for table in {*effect.rewrites, *effect.scans})
        kept = strongest([*kept, *effect.locks])
        yield tuple(_touched(lock, effect, target, seconds) for lock in kept if _concerns(lock, effect, seconds))


def _concerns(lock: Lock, effect: Effect, seconds: float) -> bool:
    """Return whether a lock is the statement's own, or keeps others waiting while the statement works elsewhere."""
    return bool(effect.mode_on(lock.table)) or bool(seconds and blocks(lock.mode))


def _seconds(table: str, target: Target) -> float:
    found = target.tables.get(table)
    seconds = (found.bytes or 0) / _PACE if found is not None else 0.0
    return seconds if seconds > _UNNOTICED else 0.0


def _touched(lock: Lock, effect: Effect, target: Target, seconds: float) -> Touched:
    known, mode = target.tables.get(lock.table), effect.mode_on(lock.table)
    holds_off = blocks(lock.mode if seconds else mode)
    weight = "" if not holds_off or known is None else "stops" if seconds else "queues"
    touched = Touched(
        lock.table,
        mode,
        holds_off,
        is_new=known is None,
        is_rewritten=lock.table in effect.rewrites,
        is_scanned=lock.table in effect.scans,
        weight=weight,
        seconds=round(seconds, 1) if weight == "stops" else 0.0,
    )
    if known is None:
        return touched
    facts = {"bytes": known.bytes, "rows": max(known.rows, 0), "calls": round(known.calls, 1)}
    return msgspec.structs.replace(touched, **facts, message=_message(touched, known) if weight else "")


def _message(touched: Touched, known: Table) -> str:
    size = f"{Size(known.bytes or 0)}, {counted(max(known.rows, 0), 'row')}, {known.calls:,.1f} calls/s"
    whom = f"{touched.holds_off} of {touched.table} ({size})"
    if touched.weight == "queues":
        return f"{whom} wait while the lock is waited for"
    does = "it is written anew" if touched.is_rewritten else "its rows are read" if touched.is_scanned else "others are worked on"
    about = format_duration(timedelta(seconds=max(1, round(touched.seconds))))
    return f"{whom} wait while {does}: about {about} at {_PACE}/s"
