"""One process of the race in the sync form: threads that read near rows and write them."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic

import msgspec
import psycopg

from pgkeel.cache.errors import CommandRefused
from pgkeel.cache.names import tag
from pgkeel.cache.sync import Cache
from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret
from tests.cache.stress import KEYS, NEAR_LAG, SECRET, SLOW, Board, Orders, Outcome, Row


class Process:
    def __init__(self, orders: Orders, cache: Cache) -> None:
        self.orders = orders
        self.cache = cache
        self.rows = cache.rows("race", Row, key=int, ttl="1m", near=orders.is_near)
        self.board = Board(Path(orders.board))
        self.board.is_late(NEAR_LAG)
        self.end = monotonic() + orders.seconds
        self.outcome = Outcome()
        self.guard = threading.Lock()

    def run(self) -> None:
        seed, orders = self.orders.seed, self.orders
        work: list[tuple[Callable[[int], None], int]] = [(self.reader, number) for number in range(orders.readers)]
        work += [(self.writer, seed * 5 + number) for number in range(orders.writers)]
        threads = [threading.Thread(target=target, args=(number,)) for target, number in work]
        for thread in threads:
            thread.start()
        while monotonic() < self.end:
            with self.guard:
                self.board.look()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        self.outcome.hits, self.outcome.near = self.cache.figures.hits, self.cache.figures.near

    def reader(self, number: int) -> None:
        dice = Random(number)
        with psycopg.connect(self.orders.database, autocommit=True) as connection:

            def load(key: int) -> Row:
                [found] = connection.execute("SELECT id, n FROM race WHERE id = %s", [key])
                time.sleep(dice.random() * SLOW)
                return Row(*found)

            while monotonic() < self.end:
                key = dice.randrange(KEYS)
                with self.guard:
                    newest = self.board.newest(key, is_near=True)
                row = self.rows.get(key, load)
                with self.guard:
                    self.outcome.reads += 1
                    self.outcome.stale += row is None or row.n < newest

    def writer(self, number: int) -> None:
        dice = Random(number)
        with psycopg.connect(self.orders.database, autocommit=True) as connection:
            while monotonic() < self.end:
                try:
                    self.write(connection, number, dice.randrange(KEYS))
                except (Unreachable, CommandRefused):
                    with suppress(psycopg.Error):
                        connection.execute("ROLLBACK")
                time.sleep(dice.random() * 0.05)

    def write(self, connection: "psycopg.Connection[tuple[int, ...]]", number: int, key: int) -> None:
        connection.execute("BEGIN")
        [[n]] = connection.execute("UPDATE race SET n = n + 1 WHERE id = %s RETURNING n", [key])
        with self.cache.change(self.rows.row(key), tag("race", grp=key % 2)):
            connection.execute("COMMIT")
        with self.guard:
            self.board.acknowledge(number, key, n)
            self.outcome.writes += 1


def main(orders: Orders) -> None:
    mark = timedelta(milliseconds=orders.mark)
    with Cache(orders.cache, secret=Secret(SECRET), on_outage="closed", mark=mark, patience=timedelta(seconds=2)) as cache:
        process = Process(orders, cache)
        process.run()
    sys.stdout.write(msgspec.json.encode(process.outcome).decode())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders))
