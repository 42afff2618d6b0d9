"""Backups against a plain copy of the same bytes and against the bare tools, on one disk, in turns (45 MB; FULL=1: 1.3 GB)."""

import shutil
from collections.abc import Iterator, Mapping

from bench.barman import barman_of
from bench.harness import Entry, Scale, at_most, skipped
from bench.stand import Stand, compared, rounds, stand_of
from pgkeel.backup import Programs, recipient_of, relations_of
from pgkeel.backup.basebackup import Compressor
from pgkeel.backup.taking import Order, Taker
from pgkeel.postgres import connect

_Times = Mapping[str, list[float]]
_THREADED = "server-zstd:level=1,workers=1"
_CHANGE = "UPDATE pgbench_accounts SET filler = md5(random()::text) WHERE mod(aid / 1000, 12) = 0 AND mod(aid, 4) = 0"
_CHANGED = "incremental backup after 2 % of the rows, in a twelfth of the pages, changed"


def entries(scale: Scale) -> Iterator[Entry]:
    """Yield the figures; each round runs all that is compared, so that a busy machine slows all of them."""
    with stand_of(scale) as stand, barman_of(stand.tools, stand.address, stand.folder) as barman:
        work = {
            "ours": lambda: stand.take("full"),
            "plain": lambda: _take_uncompressed(stand, "nobody"),
            "client": lambda: _take_uncompressed(stand, "client"),
            "copy": stand.copy,
            "bare": lambda: _bare(stand),
            "threaded": lambda: _bare(stand, compress=_THREADED),
        }
        full = rounds(stand, work | ({"barman": barman.full} if barman else {}), scale.pick(5, 16))
        shutil.copy(stand.folder / "bare/backup_manifest", stand.folder / "manifest")
        work = {
            "ours": lambda: stand.take("incremental"),
            "bare": lambda: _bare(stand, incremental=True),
            "threaded": lambda: _bare(stand, incremental=True, compress=_THREADED),
        }
        work |= {"barman": barman.incremental} if barman else {}
        increments = rounds(stand, work, scale.pick(15, 24), before=lambda: _change(stand))
        yield from _figures(full, increments, f"{stand.tools.major}.{stand.tools.minor}")


def _figures(full: _Times, increments: _Times, version: str) -> Iterator[Entry]:
    copy, bare = full["copy"], f"pg_basebackup {version}"
    figure = "full backup that the server sends uncompressed, and pgkeel compresses"
    yield compared("backup.full.plain", f"{figure}, against cp and sync", full["plain"], copy, "cp -a", 2.0)
    figure = "full backup that the server sends uncompressed, and pg_basebackup compresses"
    yield compared("backup.full.client", f"{figure}, against cp and sync", full["client"], copy, "cp -a", 2.0)
    yield compared("backup.full.sealed", "full backup, zstd and age, against cp and sync", full["ours"], copy, "cp -a", 1.6)
    figure = "full backup against pg_basebackup with the server's zstd, synced"
    yield compared("backup.full.overhead", figure, full["ours"], full["bare"], bare, 1.1)
    figure = "full backup against pg_basebackup with the server's zstd in a thread of its own, as ours has it, synced"
    yield compared("backup.full.threaded", figure, full["ours"], full["threaded"], bare, 1.1)
    size = len(copy)
    first = increments["ours"][:size]
    yield compared("backup.incremental.sealed", f"{_CHANGED}, against cp and sync of everything", first, copy, "cp -a", 1.0)
    figure = f"{_CHANGED}, against the bare tool"
    yield compared("backup.incremental.overhead", figure, increments["ours"], increments["bare"], bare, 1.1)
    figure = f"{_CHANGED}, against the bare tool with a thread of its own, as ours has it"
    yield compared("backup.incremental.threaded", figure, increments["ours"], increments["threaded"], bare, 1.1)
    yield from _against_barman(full, increments, size)


def _against_barman(full: _Times, increments: _Times, size: int) -> Iterator[Entry]:
    if "barman" not in full:
        for name in ("full", "incremental", "sum"):
            why = "no barman program: set BARMAN to one"
            yield skipped(f"backup.{name}.barman", name, better="lower", against="Barman", target=at_most(1.05), reason=why)
        return
    barman = "Barman, server-side zstd"
    yield compared("backup.full.barman", "full backup", full["ours"], full["barman"], barman, 1.05)
    yield compared("backup.incremental.barman", _CHANGED, increments["ours"], increments["barman"], barman, 1.05)
    ours = [sum(pair) for pair in zip(full["ours"], increments["ours"][:size], strict=True)]
    theirs = [sum(pair) for pair in zip(full["barman"], increments["barman"][:size], strict=True)]
    yield compared("backup.sum.barman", "full and incremental backup together", ours, theirs, barman, 1.0)


def _take_uncompressed(stand: Stand, compressor: Compressor) -> None:
    """Take a full backup as from a server that was built without zstd: its `client` may have it, or `nobody`."""
    with connect(stand.cluster.superuser_url()) as connection:
        programs = Programs(client=stand.tools, server=stand.tools)
        order = Order(stand.repository, [recipient_of(stand.identity)], programs, stand.address, "bench")
        taker = Taker(order, connection, relations=lambda: relations_of(connection))
        taker._compressor = compressor  # noqa: SLF001 - what `take` falls back to by itself
        taker.take("full")


def _change(stand: Stand) -> None:
    """Change the same pages as in every round, and let a backup that nobody times find them first, and the WAL summed up.

    Without VACUUM the table grows, and what has changed since the full backup with it: 13 MB in the first round, 60 in the 12th.
    Whoever comes first after a change takes a fifth longer.
    """
    stand.sql(_CHANGE)
    stand.sql("VACUUM pgbench_accounts")
    stand.sql("CHECKPOINT")
    _bare(stand, incremental=True)


def _bare(stand: Stand, *, incremental: bool = False, compress: str = "server-zstd:1") -> None:
    """Run the bare tool, which syncs what it writes, as ours does."""
    target = stand.fresh("bare-incremental" if incremental else "bare")
    stand.tool(
        "pg_basebackup",
        f"--pgdata={target}",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        f"--compress={compress}",
        f"--dbname={stand.address}",
        *([f"--incremental={stand.folder}/manifest"] if incremental else []),
    )
