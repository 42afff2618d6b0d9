"""The recipes by two processes with many tasks on the same keys; what naive forms do to the same work says that it would show."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pgkeel.cache import Cache
from pgkeel.cache.recipes import Counter, Leaderboard, Sessions
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.secret import Secret
from pgkeel.local import Account
from pgkeel.testing.servers import scratch_valkey
from tests.cache import recipes_at_work as work


class Result(msgspec.Struct):
    """What both processes saw, and what is left.

    Attributes:
        allowed: Attempts that the limiter let through.
        claimed: Jobs that somebody did.
        entered: How often somebody held the lock.
        noted: The tokens that holders wrote down, in their order.
        views: The count.
        points: The score.
        alive: Sessions that can be read after they were ended.
    """

    allowed: int
    claimed: int
    entered: int
    noted: list[int]
    views: float
    points: float
    alive: int


@pytest.fixture(scope="module")
def server(account: Account) -> Iterator[CacheUrl]:
    with scratch_valkey(account=account) as valkey:
        yield valkey.url()


@pytest.fixture(scope="module")
def ours(server: CacheUrl, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return at_work(server, tmp_path_factory.mktemp("ours"), is_naive=False)


@pytest.fixture(scope="module")
def naive(server: CacheUrl, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return at_work(server, tmp_path_factory.mktemp("naive"), is_naive=True)


def at_work(url: CacheUrl, folder: Path, *, is_naive: bool) -> Result:
    folder.joinpath("noted").write_bytes(b"[]")
    return asyncio.run(_at_work(url, folder, is_naive=is_naive))


async def _at_work(url: CacheUrl, folder: Path, *, is_naive: bool) -> Result:
    async with Cache(url, secret=Secret(work.SECRET)) as cache:
        await cache.client.call("FLUSHALL")
        sessions, plain = Sessions(cache, work.Login), work.Naive(cache)
        tokens = [await sessions.start(work.Login(number)) for number in range(work.TOKENS)]
        for token in tokens if is_naive else ():
            await plain.start(token)
        folder.joinpath("tokens").write_bytes(msgspec.json.encode(tokens))
        seen = await asyncio.to_thread(run_both, url, folder, is_naive)
        read = plain.read if is_naive else sessions.read
        return Result(
            seen.allowed,
            seen.claimed,
            seen.entered,
            msgspec.json.decode(folder.joinpath("noted").read_bytes()),
            await (plain.value("page") if is_naive else Counter(cache, "views").value("page")),
            await plain.value("ada") if is_naive else (await Leaderboard(cache, "points").top(1))[0][1],
            sum([bool(await read(token)) for token in tokens]),
        )


def run_both(url: CacheUrl, folder: Path, is_naive: bool) -> work.Seen:
    processes = []
    for number in range(2):
        process = subprocess.Popen([sys.executable, work.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(work.Orders(url.reveal(), str(folder), number, is_naive)))
        process.stdin.close()
        process.stdin = None
        processes.append(process)
    found = [msgspec.json.decode(process.communicate(timeout=90)[0], type=work.Seen) for process in processes]
    return work.Seen(*(sum(pair) for pair in zip(*map(msgspec.structs.astuple, found), strict=True)))


ALL = 2 * work.TASKS * work.TURNS


def test_two_processes_get_no_more_attempts_than_the_rate_allows(ours: Result, naive: Result) -> None:
    assert ours.allowed == work.MOST
    assert naive.allowed > work.MOST


def test_no_count_of_two_processes_is_lost(ours: Result, naive: Result) -> None:
    assert ours.views == ALL
    assert naive.views < ALL


def test_no_point_of_two_processes_is_lost(ours: Result, naive: Result) -> None:
    assert ours.points == ALL
    assert naive.points < ALL


def test_each_job_is_done_by_one_of_two_processes(ours: Result, naive: Result) -> None:
    assert ours.claimed == work.JOBS
    assert naive.claimed > work.JOBS


def test_one_of_two_processes_is_inside_of_the_lock_and_its_token_is_the_largest_so_far(ours: Result, naive: Result) -> None:
    assert ours.entered == len(ours.noted) == 20
    assert ours.noted == sorted(set(ours.noted))
    assert len(naive.noted) < naive.entered


def test_a_session_that_was_ended_is_not_brought_back_by_who_reads_it(ours: Result, naive: Result) -> None:
    assert ours.alive == 0
    assert naive.alive > 0
