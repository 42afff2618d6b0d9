"""Random histories with one bad deletion in them: everything that was committed before it stays, and nothing later."""

import random

import pytest

from pgkeel.backup.recovery.search import cut_of
from pgkeel.backup.recovery.wish import wish_from
from pgkeel.core.clock import now
from pgkeel.postgres import Connection
from tests.backup.recovery.conftest import History, Side, files_of


class Writer:
    """One session of several: what it does counts when it commits."""

    def __init__(self, connection: Connection, table: str) -> None:
        self.connection, self.table = connection, table
        self.changes: list[tuple[int, str | None]] = []

    def write(self, dice: random.Random, number: int) -> None:
        """Insert, change or delete rows of its own keys, sometimes in a savepoint that is rolled back."""
        if not self.changes:
            self.connection.execute("BEGIN")
        key, word = number, f"w{dice.randrange(1000)}"
        if dice.random() < 0.2:
            self.connection.execute("SAVEPOINT s")
            self._put(key + 500_000, "never")
            self.connection.execute("ROLLBACK TO s")
        self._put(key, word)
        self.changes.append((key, word))
        if dice.random() < 0.3:
            self.connection.execute(f"DELETE FROM {self.table} WHERE n = %s", [key])
            self.changes.append((key, None))

    def end(self, dice: random.Random) -> list[tuple[int, str | None]]:
        """Commit or roll back, and return what became true."""
        done, self.changes = self.changes, []
        if not done:
            return []
        keeps = dice.random() < 0.8
        self.connection.execute("COMMIT" if keeps else "ROLLBACK")
        return done if keeps else []

    def _put(self, key: int, word: str) -> None:
        statement = f"INSERT INTO {self.table} VALUES (%s, %s) ON CONFLICT (n) DO UPDATE SET word = EXCLUDED.word"
        self.connection.execute(statement, [key, word])


def play(history: History, seed: int) -> tuple[str, dict[int, str]]:
    """Write a history into a table of its own and return its name and the rows just before the bad deletion."""
    dice, table = random.Random(seed), f"h{seed}"
    history.sql(f"CREATE TABLE {table} (n int PRIMARY KEY, word text)")
    truth: dict[int, str] = {}
    with history.connect() as one, history.connect() as two, history.connect() as three:
        writers = [Writer(each, table) for each in (one, two, three)]
        at = dice.randrange(20, 60)
        for number in range(at + dice.randrange(5, 30)):
            if number == at:
                before = dict(truth)
                history.sql(f"DELETE FROM {table}")
            writer = dice.choice(writers)
            writer.write(dice, number + 1000 * writers.index(writer))
            if dice.random() < 0.5:
                apply(truth, writer.end(dice))
        for writer in writers:
            apply(truth, writer.end(dice))
    return table, before


def apply(truth: dict[int, str], changes: list[tuple[int, str | None]]) -> None:
    for key, word in changes:
        if word is None:
            truth.pop(key, None)
        else:
            truth[key] = word


def recovered(history: History, side: Side, table: str, wanted: int) -> dict[int, str]:
    wish = wish_from(before=f"DELETE on {table}", rows=f"= {wanted}", now=now())
    side.restore(cut_of(wish, history.wal(), history.tools, lambda _: files_of(history, table)))
    pairs = side.values(f"SELECT ARRAY[n::text, word] FROM {table}")
    return {int(n): word for n, word in pairs}  # type: ignore[misc, has-type]


@pytest.mark.parametrize("seed", [1])
def test_everything_committed_before_the_bad_deletion_is_kept_and_nothing_later(history: History, side: Side, seed: int) -> None:
    table, before = play(history, seed)
    assert recovered(history, side, table, len(before)) == before


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 22))
def test_the_same_in_twenty_more_histories(history: History, side: Side, seed: int) -> None:
    table, before = play(history, seed)
    assert recovered(history, side, table, len(before)) == before
