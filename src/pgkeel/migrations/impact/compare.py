"""Say where the text of a statement promises something else than the server does with it."""

from collections.abc import Collection, Iterator, Sequence

from pgkeel.migrations.impact.effect import MODES, Effect, Lock, strongest

__all__ = ["disagreements"]

_WORTH = MODES.index("SHARE UPDATE EXCLUSIVE")  # weaker ones are those of every query
_OURS = ("pgkeel.", "audit.")  # what notes every change of the schema reads these, whatever the statement is


def disagreements(expected: Effect, seen: Effect, held: Sequence[Lock], new: Collection[str]) -> tuple[str, ...]:
    """Return the differences in words, for a person who relies on either.

    Args:
        expected: From the statement's text.
        seen: From the server.
        held: What the transaction held after it: a lock that an earlier statement took is not taken again.
        new: Tables that the pending migrations make themselves; nobody waits for those.
    """
    if not seen.is_complete:
        return ()
    return (*_of_locks(expected, seen, held, new), *_of_work(expected, seen, new))


def _of_locks(expected: Effect, seen: Effect, held: Sequence[Lock], new: Collection[str]) -> Iterator[str]:
    for table in sorted({lock.table for lock in (*expected.locks, *seen.locks)} - set(new)):
        promised, taken = expected.mode_on(table), seen.mode_on(table)
        kept = next((lock.mode for lock in strongest(held) if lock.table == table), "")
        is_worth = max(_rank(promised), _rank(taken)) >= _WORTH
        if is_worth and (_rank(taken) > _rank(promised) or _rank(promised) > _rank(kept)):
            yield f"{table}: {promised or 'no lock'} expected, {taken or 'none'} taken"


def _of_work(expected: Effect, seen: Effect, new: Collection[str]) -> Iterator[str]:
    for table in sorted(({*expected.rewrites} ^ {*seen.rewrites}) - set(new)):
        is_promised = table in expected.rewrites
        yield f"{table}: {'a rewrite expected, none seen' if is_promised else 'rewritten, which was not expected'}"
    rewritten = {*expected.rewrites, *seen.rewrites}
    for table in sorted(({*expected.scans} ^ {*seen.scans}) - rewritten - set(new)):
        is_promised = table in expected.scans
        if not is_promised and table.startswith(_OURS):
            continue
        yield f"{table}: {'a read of every row expected, none seen' if is_promised else 'every row is read, unexpectedly'}"


def _rank(mode: str) -> int:
    return MODES.index(mode) if mode else -1
