"""Programs of two ages that declare different columns, come, go, die and lose their cache: no count may lack a row."""

import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from pgkeel.cache.sync import Client
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from tests.cache.declared_race import VALUES, WRITERS, Orders, Outcome

ROOT = Path(__file__).parents[2]
MARK = 500
LIFE = 1000
OLDER, NEWER = ("grp",), ("grp", "kind")


@pytest.fixture
def orders(empty_db: Url, valkey_db: CacheUrl, tmp_path: Path) -> Orders:
    with connect(empty_db) as connection:
        up(connection, [PGKEEL])
        connection.execute("CREATE TABLE things (id bigserial PRIMARY KEY, grp integer NOT NULL, kind integer NOT NULL)")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET transaction_timeout = {MARK * 2 // 3}")
    board = tmp_path / "board"
    board.write_bytes(bytes(8 * 2 * VALUES * WRITERS * 2))
    return Orders(empty_db.reveal(), valkey_db.reveal(), str(board), 0, 0, (), MARK, LIFE)


class Programs(threading.Thread):
    """Programs of one age, the next when one has died, until told; then what they saw."""

    def __init__(self, orders: Orders) -> None:
        super().__init__()
        self._orders, self.is_over = orders, False
        self.total, self.deaths = Outcome(), 0
        self.start()

    def run(self) -> None:
        while not self.is_over:
            said = subprocess.run(
                [sys.executable, "-m", "tests.cache.declared_race"],
                input=msgspec.json.encode(self._orders),
                stdout=subprocess.PIPE,
                cwd=ROOT,
                check=False,
            )
            if said.returncode == 9:
                self.deaths += 1
                continue
            assert said.returncode == 0
            found = msgspec.json.decode(said.stdout, type=Outcome)
            pairs = zip(msgspec.structs.astuple(self.total), msgspec.structs.astuple(found), strict=True)
            self.total = Outcome(*(mine + its for mine, its in pairs))
            self.is_over = self.is_over or not self._orders.deadly


def race(orders: Orders, rounds: int) -> tuple[Outcome, Outcome, int]:
    """Older programs that die, a newer one that comes and goes, and a flush now and then."""
    older = Programs(msgspec.structs.replace(orders, columns=OLDER, seed=0, seconds=2.0, deadly=True))
    newer = Programs(msgspec.structs.replace(orders, columns=NEWER, seed=1, seconds=6 * MARK / 1000, rounds=rounds))
    client = Client(CacheUrl.parse(orders.cache))
    try:
        while newer.is_alive():
            newer.join(4.0)
            client.call("FLUSHALL")
    finally:
        client.close()
        older.is_over = True
        older.join()
    return older.total, newer.total, older.deaths


@pytest.mark.faults
def test_no_count_lacks_a_row_while_programs_declare_different_columns(orders: Orders) -> None:
    older, newer, deaths = race(orders, 1)
    print(older, newer, deaths)
    assert newer.stale == older.stale == 0
    assert newer.relied > 0
    assert newer.hits > 0


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.faults
def test_no_count_lacks_a_row_for_long(orders: Orders) -> None:
    older, newer, deaths = race(orders, 12)
    print(older, newer, deaths)
    assert newer.stale == older.stale == 0
    assert deaths > 0


@pytest.mark.long
@pytest.mark.faults
def test_the_race_shows_the_rows_that_are_lacking_where_nobody_hears_what_others_declare(orders: Orders) -> None:
    older, newer, _ = race(msgspec.structs.replace(orders, hears=False), 1)
    print(older, newer)
    assert newer.stale > 0
