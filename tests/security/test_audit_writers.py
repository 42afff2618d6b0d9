"""Seals taken while others write: what is sealed never changes afterwards, so nobody is alarmed for nothing."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import FileSink, Problem, anchor, seal, verify
from tests.security.test_audit import db, sink

__all__ = ["db", "sink"]

SEALS, WRITERS = 200, 4


def write(url: Url, number: int, end: threading.Event, errors: list[str]) -> None:
    """Insert, update and delete rows of its own in transactions of different lengths, a third of which roll back."""
    dice = random.Random(number)
    with connect(url) as connection:
        row = number
        while not end.is_set():
            row += WRITERS
            try:
                with connection.transaction(force_rollback=dice.random() < 0.3):
                    connection.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [row])
                    connection.execute("UPDATE people SET name = 'y' WHERE id = %s", [row])
                    connection.execute("SELECT pg_sleep(%s)", [dice.choice([0, 0, 0.002])])
                    connection.execute("DELETE FROM people WHERE id = %s AND %s", [row, dice.random() < 0.5])
            except Exception as err:  # noqa: BLE001 - any error is one too many
                errors.append(repr(err))
                return


@contextmanager
def writers(work: Callable[..., None], url: Url) -> Iterator[list[str]]:
    end, errors = threading.Event(), list[str]()
    threads = [threading.Thread(target=work, args=(url, number, end, errors)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_two_hundred_seals_under_four_writers_raise_no_alarm(
    db: Connection, empty_db: Url, sink: FileSink, tmp_path: Path
) -> None:
    alarms = list[Problem]()
    with writers(write, empty_db) as errors:
        for number in range(1, SEALS * 3):
            seal(db)
            if number % 40 == 0:
                anchor(db, [sink])
                alarms += verify(db, [sink]).problems
            if int(db.execute("SELECT count(*) AS seals FROM audit.seal").fetchone()["seals"]) >= SEALS:  # type: ignore[index]
                break
    seal(db)
    anchor(db, [sink])
    verdict = verify(db, [sink])

    assert (errors, alarms, verdict.problems) == ([], [], ())
    assert verdict.seals >= SEALS
    assert verdict.unsealed == 0
