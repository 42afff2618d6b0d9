"""Restores against a plain copy of the same bytes, on the same disk, in turns; the sync is in all (45 MB; FULL=1: 1.3 GB).

Ours fetches, decrypts, expands, proves every file, and lays the incremental backup over the full one. Barman expands what the
server's zstd compressed, proves nothing, and lets pg_combinebackup combine; so ours is measured without its proof as well.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from bench.barman import Barman, barman_of
from bench.harness import Entry, Scale, at_most, skipped
from bench.stand import Stand, compared, rounds, stand_of
from pgkeel.backup import Record, fetch_backup
from pgkeel.backup.recovery.chain import Link, combine
from pgkeel.backup.unpacking import Files

_Work = dict[str, Callable[[], object]]
_SHARE = "UPDATE pgbench_accounts SET filler = md5(random()::text) WHERE aid > (SELECT max(aid) FROM pgbench_accounts) * 0.95"


def entries(scale: Scale) -> Iterator[Entry]:
    """Yield the figures; each round runs all that is compared, so that a busy machine slows all of them."""
    with stand_of(scale) as stand, barman_of(stand.tools, stand.address, stand.folder) as barman:
        full = stand.take("full")
        if barman:
            barman.full()
        stand.sql(_SHARE)
        chain = (full, stand.take("incremental"))
        if barman:
            barman.incremental()
            barman.archive()
        restored = stand.folder / "kept"
        _restore(stand, restored, *chain)
        work: _Work = {
            "copy": lambda: stand.copy(restored),
            "full": lambda: _restore(stand, stand.fresh("full"), full),
            "chain": lambda: _restore(stand, stand.fresh("chain"), *chain),
            "full unproved": lambda: _restore(stand, stand.fresh("full"), full, is_proved=True),
            "chain unproved": lambda: _restore(stand, stand.fresh("chain"), *chain, is_proved=True),
        }
        yield from _figures(rounds(stand, work | _barmans(stand, barman), scale.pick(5, 3)))


def _figures(seconds: Mapping[str, list[float]]) -> Iterator[Entry]:
    copy = seconds["copy"]
    for name, figure, target in (
        ("full", "restore of a sealed full backup, proved", 1.5),
        ("chain", "restore of a sealed full and incremental backup, proved and laid over each other", 1.8),
    ):
        yield compared(f"recover.restore.{name}", f"{figure}, against cp and sync", seconds[name], copy, "cp -a", target)
    for name, figure in (("full", "restore of a full backup"), ("chain", "restore of a full and an incremental backup")):
        for how in (" unproved", ""):
            identity, text = f"recover.barman.{name}{how.replace(' ', '.')}", f"{figure},{how or ' proved'}"
            if f"barman {name}" in seconds:
                yield compared(identity, text, seconds[f"{name}{how}"], seconds[f"barman {name}"], "Barman", 1.05)
            else:
                reason = "no barman program: set BARMAN to one; it needs rsync"
                yield skipped(identity, text, better="lower", against="Barman", target=at_most(1.05), reason=reason)


def _restore(stand: Stand, target: Path, *chain: Record, is_proved: bool = False) -> None:
    def fetch(record: Record, place: Path, files: Files, _check: Callable[[], None]) -> None:
        fetch_backup(record, [stand.repository], stand.identity, place, files=files)

    links = [Link(one.id, partial(fetch, one), is_proved) for one in chain]
    combine(links, stand.folder / "links", target, stand.tools, lambda _: None)
    stand.sync()


def _barmans(stand: Stand, barman: Barman | None) -> _Work:
    if barman is None:
        return {}

    def restore(which: str) -> None:
        barman.run("restore", "main", which, str(stand.fresh("theirs")))
        stand.sync()

    return {"barman full": partial(restore, "last-full"), "barman chain": partial(restore, "last")}
