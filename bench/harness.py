"""One form for every measurement: pairs of runs side by side, the median of their ratios, its 95 % interval, a target.

A module of this folder has `def entries(scale: Scale) -> Iterator[Entry]`. It measures with `paired` (or `paired_async`)
and says what it saw with `ratio`; `budget` is for CPU seconds that an issue promises; what cannot run is `skipped`.
Ours and the peer's are run in turns, who goes first changes at random, so that a busy machine slows both alike.

What takes microseconds is measured with `on_one_processor`. On an idle machine client and server halt their processors while
they wait for each other, and on a virtual machine it takes 50 to 100 µs to wake one, for us as for every peer: nobody's work,
different from moment to moment, and unknown to a service under load. On one processor client and server take turns, nothing
halts, and a statement takes what both of them work for it. Keeping two processors awake by loops of class SCHED_IDLE was tried:
the interval against the bare driver was five times as wide. Such figures take many short rounds (`Scale.rounds`), and each turn
runs once before it is timed (`settle`): the caches still hold the other's code, and who does little suffers most from that.
"""

import operator
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

__all__ = [
    "Entry",
    "Pair",
    "Sample",
    "Scale",
    "Target",
    "as_table",
    "at_least",
    "at_most",
    "budget",
    "child_cpu",
    "on_one_processor",
    "paired",
    "paired_async",
    "publish",
    "ratio",
    "skipped",
    "wall",
]

OUT = Path(__file__).resolve().parent / "out"
Better = Literal["higher", "lower"]
Sample = Callable[[], float]
_OPERATORS = {"<=": operator.le, ">=": operator.ge}
_RESAMPLES = 2000
_HEADING: tuple[str, ...] = ("id", "value", "95 % interval", "target", "against", "")


class Target(msgspec.Struct, frozen=True):
    """What the median must reach, e.g. `>= 0.90`."""

    op: Literal["<=", ">="]
    value: float

    def __str__(self) -> str:
        """Return it as one reads it in the table."""
        return f"{self.op} {self.value:g}"


class Entry(msgspec.Struct, frozen=True):
    """One figure against one peer over one transport; what `bench/out/NAME.json` lists.

    Attributes:
        id: `bench.figure.variant.transport`, e.g. `access.point_read.raw.unix`.
        figure: The sentence a reader sees.
        value: Median of the paired ratios; None when it did not run.
        low: Lower end of the median's 95 % bootstrap interval.
        high: Upper end.
        unit: "ratio", or "s cpu" for a budget of CPU time.
        better: Which direction is good. "higher": how often ours runs while the peer runs once. "lower": our cost over theirs.
        against: Peer and version.
        target: What `value` must reach.
        holds: Whether it does; None when it did not run.
        runs: How many pairs were measured.
        skipped: Why it did not run, or None.
    """

    id: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    better: Better
    against: str
    target: Target
    holds: bool | None
    runs: int
    skipped: str | None


class Scale(msgspec.Struct, frozen=True):
    """How much to measure.

    Attributes:
        full: `FULL=1`: long runs and large tables.
    """

    full: bool = False

    @property
    def runs(self) -> int:
        """How many pairs a figure takes."""
        return 31 if self.full else 11

    @property
    def rounds(self) -> int:
        """How many pairs a figure takes whose rounds are short."""
        return 301 if self.full else 101

    def pick(self, quick: int, full: int) -> int:
        """Return a size that fits: rows, migrations, readers."""
        return full if self.full else quick


class Pair(msgspec.Struct, frozen=True):
    """The seconds that ours and the peer took, one after the other."""

    ours: float
    peer: float


def at_least(value: float) -> Target:
    """Return the target `>= value`."""
    return Target(">=", value)


def at_most(value: float) -> Target:
    """Return the target `<= value`."""
    return Target("<=", value)


def wall(work: Callable[[], object]) -> Sample:
    """Return a sample that takes the wall time of `work`; meant for ratios only."""

    def sample() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return sample


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Run this process, and what is started meanwhile (a server), on one processor; nothing where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def child_cpu(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> Sample:
    """Return a sample that takes the CPU seconds (user and system) of a program and all it waited for."""

    def sample() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, cwd=cwd, env=env or dict(os.environ))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)

    return sample


def paired(ours: Sample, peer: Sample, runs: int, *, warmups: int = 1, settle: bool = False) -> list[Pair]:
    """Return the seconds of `runs` interleaved pairs; warm-ups are thrown away, and so is what each turn settles with."""
    ours, peer = (_settled(ours), _settled(peer)) if settle else (ours, peer)
    order = random.Random(runs)
    pairs = []
    for _ in range(warmups + runs):
        if order.random() < 0.5:
            our_seconds, peer_seconds = ours(), peer()
        else:
            peer_seconds, our_seconds = peer(), ours()
        pairs.append(Pair(our_seconds, peer_seconds))
    return pairs[warmups:]


async def paired_async(
    ours: Callable[[], Awaitable[object]],
    peer: Callable[[], Awaitable[object]],
    runs: int,
    *,
    warmups: int = 1,
    settle: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Pair]:
    """Return the seconds of `runs` interleaved pairs of coroutines: on the wall, or by `time.process_time` of this process."""

    async def timed(work: Callable[[], Awaitable[object]]) -> float:
        if settle:
            await work()
        start = clock()
        await work()
        return clock() - start

    order = random.Random(runs)
    pairs = []
    for _ in range(warmups + runs):
        if order.random() < 0.5:
            our_seconds, peer_seconds = await timed(ours), await timed(peer)
        else:
            peer_seconds, our_seconds = await timed(peer), await timed(ours)
        pairs.append(Pair(our_seconds, peer_seconds))
    return pairs[warmups:]


def _settled(sample: Sample) -> Sample:
    def run() -> float:
        sample()
        return sample()

    return run


def ratio(identity: str, figure: str, pairs: Sequence[Pair], *, better: Better, against: str, target: Target) -> Entry:
    """Return what the pairs say: our speed over the peer's (`better="higher"`) or our cost over the peer's ("lower")."""
    ratios = [pair.peer / pair.ours if better == "higher" else pair.ours / pair.peer for pair in pairs]
    return _entry(identity, figure, ratios, unit="ratio", better=better, against=against, target=target)


def budget(identity: str, figure: str, seconds: Sequence[float], *, against: str, target: Target) -> Entry:
    """Return what CPU samples say against a budget; CPU time, never the clock on the wall."""
    return _entry(identity, figure, list(seconds), unit="s cpu", better="lower", against=against, target=target)


def skipped(
    identity: str, figure: str, *, better: Better, against: str, target: Target, reason: str, unit: str = "ratio"
) -> Entry:
    """Return the entry of something that cannot run here, and why."""
    return Entry(identity, figure, None, None, None, unit, better, against, target, None, 0, reason)


def _entry(identity: str, figure: str, values: list[float], *, unit: str, better: Better, against: str, target: Target) -> Entry:
    value, (low, high) = statistics.median(values), interval(values)
    holds = bool(_OPERATORS[target.op](value, target.value))
    return Entry(
        identity,
        figure,
        round(value, 4),
        round(low, 4),
        round(high, 4),
        unit,
        better,
        against,
        target,
        holds,
        len(values),
        None,
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the median; the same values always give the same one."""
    draw = random.Random(len(values))
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return medians[int(0.025 * _RESAMPLES)], medians[int(0.975 * _RESAMPLES) - 1]


def publish(name: str, entries: Iterable[Entry], *, folder: Path = OUT) -> int:
    """Print the table, write `NAME.json`, and return 1 when a figure falls short, else 0.

    Each figure is printed and written as soon as it is known: a run that is stopped leaves what it has seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft, found = folder / f"{name}.json.draft", list[Entry]()
    for entry in entries:
        found.append(entry)
        print("  ".join(_row(entry)), file=sys.stderr, flush=True)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        draft.replace(folder / f"{name}.json")
    print(as_table(found))
    return 1 if any(entry.holds is False for entry in found) else 0


def as_table(entries: Sequence[Entry]) -> str:
    """Return the entries as lines of text with a verdict each."""
    rows = [_HEADING, *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.value is None:
        return (entry.id, "-", "-", str(entry.target), entry.against, f"not run: {entry.skipped}")
    unit = "" if entry.unit == "ratio" else f" {entry.unit}"
    verdict = "holds" if entry.holds else "FALLS SHORT"
    span = f"{entry.low:.3f} - {entry.high:.3f}"
    return (entry.id, f"{entry.value:.3f}{unit}", span, str(entry.target), entry.against, verdict)
