# Generated from pgkeel/access/_async/asking.py by tools/unasync.py; do not edit.
"""Run the statements of `@query` functions, in autocommit or in a unit of work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pgkeel.access._sync.runner import Runner
from pgkeel.access._sync.streams import cursor
from pgkeel.access.asked import Asked
from pgkeel.access.errors import NotFound
from pgkeel.access.handwritten import arranged, reader

__all__ = ["ask", "ask_rows"]


def ask(runner: Runner, asked: Asked, values: Sequence[object]) -> Any:  # noqa: ANN401 - what the annotation says
    """Return what the function promises.

    Raises:
        NotFound: There is no row, and it promises one.
    """
    work, touched = _work(runner, asked, values), asked.touched
    found = runner.announced(touched, work) if touched else work()
    if asked.answer.form == "count":
        return found
    if asked.answer.form == "row" and not found:
        raise NotFound(f"{asked.name} found no row", hint="-> Row | None, where there may be none")
    return asked.answer.of(asked.name, found)


def _work(runner: Runner, asked: Asked, values: Sequence[object]) -> Callable[[], Any]:
    dialect, counts = runner.pool.driver.dialect, asked.counts
    if asked.text is None:
        query = asked.compiled(dialect)
        if counts:
            return lambda: runner.touching(query.sql, query.bind(values))
        return lambda: runner.all(query, values)
    text, bound = arranged(asked.text, asked.values(values), dialect)
    return lambda: runner.touching(text, bound) if counts else runner.sql(text, bound, asked.answer.into)


def ask_rows(runner: Runner, asked: Asked, values: Sequence[object], batch: int = 1_000) -> AbstractContextManager[Iterator[Any]]:
    """Return the rows one by one, so many in memory at once."""
    dialect = runner.pool.driver.dialect
    if asked.text is None:
        query = asked.compiled(dialect)
        return cursor(runner, asked.name, (query.sql, query.bind(values)), batch, lambda _, records: query.read_all(records))
    text, bound = arranged(asked.text, asked.values(values), dialect)
    into = asked.answer.into
    return cursor(runner, asked.name, (text, bound), batch, lambda names, records: list(map(reader(into, names), records)))
