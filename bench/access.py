"""Reads by id and inserts against the bare driver and against everybody else, over the socket and over TLS.

Client and server on one processor, in many rounds of a few statements: see `bench.harness`.
"""

import asyncio
import itertools
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import UUID

import psycopg

from bench.harness import Entry, Pair, Scale, Target, at_least, on_one_processor, paired, paired_async, ratio, skipped, wall
from bench.posts import INSERT, PAGE, POINT, fill
from bench.posts.django_models import reader
from bench.posts.peers import PEERS, Read, connected
from bench.posts.server import transports
from pgkeel.access import Database, select_statements
from pgkeel.access import sync as sync_form
from pgkeel.core.config import PoolConfig
from pgkeel.core.url import Url
from pgkeel.local import Runtime, choose_account, find_runtime
from pgkeel.schema.models import Post

Work = Callable[[], Awaitable[object]]
# What the point read must reach against each over the socket. Without a target of the issue it only must not be slower, as
# over TLS against all but the bare driver: each round trip costs the same there whoever makes it, and hides who does more.
# Against Advanced Alchemy it was found in CPU of the client (11 to 16 were measured), and is asked for on the clock too, where
# the server's work, the same for all, leaves the bare driver itself short of it on an idle machine.
_PEERS: dict[str, tuple[str, Target]] = {
    "raw": ("asyncpg", at_least(0.90)),
    "pool": ("asyncpg", at_least(2.4)),
    "core": ("sqlalchemy", at_least(4.0)),
    "orm": ("sqlalchemy", at_least(8.0)),
    "advanced_alchemy": ("advanced-alchemy", at_least(10.0)),
    "tortoise": ("tortoise-orm", at_least(1.0)),
    "piccolo": ("piccolo", at_least(1.0)),
}
_BY_CPU = {"pool": at_least(1.0), "core": at_least(1.0), "orm": at_least(1.0), "advanced_alchemy": at_least(10.0)}
_NAMES = {
    "raw": "asyncpg on a held connection",
    "pool": "asyncpg.Pool",
    "core": "SQLAlchemy Core in autocommit",
    "orm": "SQLAlchemy ORM",
}
_SHORT, _WARM = 20, 5  # statements of a turn, which runs twice and is timed the second time; rounds until every plan is kept
_AT_ONCE = {"core": at_least(4.0), "orm": at_least(8.0), "advanced_alchemy": at_least(10.0)}
_PGBENCH = at_least(0.1)  # a program in C; for orientation


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on one server of our own."""
    with on_one_processor(), transports() as addresses:
        author, keys = fill(addresses["unix"], scale.pick(2_000, 100_000))
        for transport, url in addresses.items():
            yield from _run(_measure(url, author, keys, scale, transport))
            yield from _measure_sync(url, keys, scale, transport)
        yield from _measure_pgbench(addresses["unix"], keys, scale)


def _run(work: Any) -> list[Entry]:  # noqa: ANN401 - a coroutine
    try:
        loop: Any = import_module("uvloop")  # where it is installed, as a service would
    except ImportError:
        loop = asyncio
    found: list[Entry] = loop.run(work)
    return found


async def _measure(url: Url, author: UUID, keys: list[UUID], scale: Scale, transport: str) -> list[Entry]:
    count, ring = _SHORT, itertools.cycle(keys)
    found: list[Entry] = []
    async with Database(url) as db:
        posts = db.repository(Post)
        ours = _times(count, lambda: posts.get(next(ring)))
        for name, open_peer in PEERS.items():
            package, target = _PEERS[name]
            target = target if name == "raw" or transport == "unix" else at_least(1.0)
            figure = f"read by id over {_NAMES.get(name, package)}"
            async with open_peer(url) as read:
                peer = _times(count, _read(read, ring))
                pairs = await paired_async(ours, peer, scale.rounds, warmups=_WARM, settle=True)
                found.append(_entry(f"point_read.{name}", figure, package, target, pairs, transport))
                if transport == "unix" and name in _BY_CPU:
                    pairs = await paired_async(ours, peer, scale.rounds, warmups=_WARM, settle=True, clock=time.process_time)
                    figure = f"{figure}, in CPU of the client"
                    found.append(_entry(f"point_read_cpu.{name}", figure, package, _BY_CPU[name], pairs, transport))
        found.append(await _page(db, url, scale, transport))
        found.append(await _insert(db, url, author, scale, transport))
    found += await _at_once(url, keys, scale, transport)
    return found


async def _page(db: Database, url: Url, scale: Scale, transport: str) -> Entry:
    posts, raw = db.repository(Post), await connected(url)
    ours, peer = _times(_SHORT, lambda: posts.page(limit=50)), _times(_SHORT, lambda: raw.fetch(PAGE))
    pairs = await paired_async(ours, peer, scale.rounds, warmups=_WARM, settle=True)
    await raw.close()
    return _entry("page.raw", "page of 50 over asyncpg on a held connection", "asyncpg", at_least(0.90), pairs, transport)


async def _insert(db: Database, url: Url, author: UUID, scale: Scale, transport: str) -> Entry:
    posts, raw = db.repository(Post), await connected(url)
    ours = _times(_SHORT, lambda: posts.insert(user_id=author, title="t", content="c"))
    peer = _times(_SHORT, lambda: raw.fetchval(INSERT, author, "t", "c"))
    pairs = await paired_async(ours, peer, scale.rounds, warmups=_WARM, settle=True)
    await raw.close()
    return _entry(
        "insert.raw", "insert returning id over asyncpg on a held connection", "asyncpg", at_least(0.90), pairs, transport
    )


async def _at_once(url: Url, keys: list[UUID], scale: Scale, transport: str) -> list[Entry]:
    """Sixteen callers on ten connections, each read a statement: what gathering them into one gains is measured apart."""
    count, ring, found = 5, itertools.cycle(keys), list[Entry]()
    async with Database(url, pool=PoolConfig(min=10, max=10)) as db:
        runner, query = db._runner, select_statements.get(db.repository(Post)._statements, False)  # noqa: SLF001 - below the gathering
        ours = _sixteen(count, lambda: runner.one(query, (next(ring),)))
        async with _ten(url) as read:
            pairs = await paired_async(ours, _sixteen(count, _read(read, ring)), scale.rounds, warmups=_WARM, settle=True)
        figure = "16 at once over asyncpg on 10 connections"
        found.append(_entry("point_read.at_once", figure, "asyncpg", at_least(0.90), pairs, transport))
        for name, target in _AT_ONCE.items() if transport == "unix" else ():
            package, _ = _PEERS[name]
            async with PEERS[name](url) as read:
                pairs = await paired_async(ours, _sixteen(count, _read(read, ring)), scale.runs, warmups=_WARM, settle=True)
            figure = f"16 at once over {_NAMES.get(name, package)} on 10 connections"
            found.append(_entry(f"point_read.at_once.{name}", figure, package, target, pairs, transport))
    return found


@asynccontextmanager
async def _ten(url: Url) -> AsyncIterator[Read]:
    """Hand out ten bare connections in turn."""
    free: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(10):
        free.put_nowait(await connected(url))

    async def read(key: UUID) -> object:
        connection = await free.get()
        try:
            return await connection.fetchrow(POINT, key)
        finally:
            free.put_nowait(connection)

    yield read
    while not free.empty():
        await free.get_nowait().close()


def _read(read: Read, ring: Iterator[UUID]) -> Work:
    return lambda: read(next(ring))


def _times(count: int, work: Work) -> Work:
    async def run() -> None:
        for _ in range(count):
            await work()

    return run


def _sixteen(count: int, work: Work) -> Work:
    async def run() -> None:
        await asyncio.gather(*(_times(count, work)() for _ in range(16)))

    return run


def _measure_sync(url: Url, keys: list[UUID], scale: Scale, transport: str) -> Iterator[Entry]:
    ring, count = itertools.cycle(keys), _SHORT
    statement, django = POINT.replace("$1", "%s"), reader(url)
    with sync_form.Database(url) as db, psycopg.connect(url.reveal(), autocommit=True) as raw:
        posts = db.repository(Post)
        ours = wall(lambda: [posts.get(next(ring)) for _ in range(count)])
        peer = wall(lambda: [raw.execute(statement, (next(ring),), prepare=True, binary=True).fetchone() for _ in range(count)])
        pairs = paired(ours, peer, scale.rounds, warmups=_WARM, settle=True)
        yield _entry(
            "sync.raw", "read by id, sync, over psycopg on a held connection", "psycopg", at_least(0.85), pairs, transport
        )
        pairs = paired(ours, wall(lambda: [django(next(ring)) for _ in range(count)]), scale.rounds, warmups=_WARM, settle=True)
        yield _entry(
            "sync.django", "read by id, sync, over Django on a kept connection", "django", at_least(1.0), pairs, transport
        )


def _measure_pgbench(url: Url, keys: list[UUID], scale: Scale) -> Iterator[Entry]:
    count, ring, figure = scale.pick(300, 2000), itertools.cycle(keys), "read by id, sync, over pgbench"
    runtime = find_runtime("17", account=choose_account())
    if not runtime.program("pgbench").exists():
        reason = "this PostgreSQL comes without pgbench"
        yield skipped("access.sync.pgbench.unix", figure, better="higher", against="pgbench", target=_PGBENCH, reason=reason)
        return
    with NamedTemporaryFile("w", suffix=".sql") as script, sync_form.Database(url) as db:
        script.write(POINT.replace("$1", ":key") + ";\n")
        script.flush()
        posts = db.repository(Post)
        ours = wall(lambda: [posts.get(next(ring)) for _ in range(count)])
        pairs = paired(ours, lambda: _pgbench(runtime, url, script.name, str(keys[0]), count), scale.runs)
    yield _entry("sync.pgbench", figure, "", _PGBENCH, pairs, "unix")


def _pgbench(runtime: Runtime, url: Url, script: str, key: str, count: int) -> float:
    """Return the seconds that pgbench took for so many reads, its connecting left out."""
    options = ["-n", "-M", "prepared", "-c", "1", "-t", str(count), "-D", f"key={key}", "-f", script]
    place = ["-h", url.host, "-p", str(url.port), "-U", url.user, url.database]
    environment = runtime.environment | {"PGPASSWORD": url.password.reveal() if url.password else ""}
    command = [str(runtime.program("pgbench")), *options, *place]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise RuntimeError(said)
    return count / float(found[1])


def _entry(name: str, figure: str, package: str, target: Target, pairs: Sequence[Pair], transport: str) -> Entry:
    against = f"{package} {version(package)}" if package else "pgbench 17"
    return ratio(f"access.{name}.{transport}", figure, pairs, better="higher", against=against, target=target)
