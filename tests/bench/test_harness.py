"""The form of every measurement."""

import json
from pathlib import Path

from bench.harness import (
    Pair,
    Scale,
    as_table,
    at_least,
    at_most,
    budget,
    interval,
    paired,
    paired_async,
    publish,
    ratio,
    skipped,
)


def pairs(*ratios: float) -> list[Pair]:
    return [Pair(ours=value, peer=1.0) for value in ratios]


def test_a_cost_is_the_median_of_our_seconds_over_the_peers() -> None:
    entry = ratio("a.b", "a", pairs(1.0, 3.0, 2.0), better="lower", against="x 1", target=at_most(2.0))
    assert (entry.value, entry.holds, entry.runs) == (2.0, True, 3)


def test_a_speed_is_the_median_of_the_peers_seconds_over_ours() -> None:
    entry = ratio("a.b", "a", pairs(1.0, 4.0, 2.0), better="higher", against="x 1", target=at_least(0.9))
    assert (entry.value, entry.holds) == (0.5, False)


def test_the_interval_holds_the_median_and_is_the_same_every_time() -> None:
    values = [0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 5.0]
    low, high = interval(values)
    assert 0.8 <= low <= 1.1 <= high <= 5.0
    assert interval(values) == (low, high)


def test_an_entry_is_written_with_exactly_the_keys_that_scripts_read(tmp_path: Path) -> None:
    entry = ratio("a.b", "a figure", pairs(1.0), better="lower", against="x 1", target=at_most(2.0))
    assert publish("one", [entry], folder=tmp_path) == 0
    (written,) = json.loads((tmp_path / "one.json").read_text())
    assert list(written) == (
        ["id", "figure", "value", "low", "high", "unit", "better", "against", "target", "holds", "runs", "skipped"]
    )
    assert written["target"] == {"op": "<=", "value": 2.0}


def test_a_figure_that_falls_short_makes_the_run_fail(tmp_path: Path) -> None:
    entry = budget("a.b", "a", [0.5, 0.6], against="the issue", target=at_most(0.3))
    assert publish("one", [entry], folder=tmp_path) == 1


def test_what_cannot_run_neither_holds_nor_fails_and_says_why(tmp_path: Path) -> None:
    entry = skipped("a.b", "a", better="lower", against="x 1", target=at_most(2.0), reason="x is not installed")
    assert publish("one", [entry], folder=tmp_path) == 0
    (written,) = json.loads((tmp_path / "one.json").read_text())
    assert (written["holds"], written["value"], written["skipped"]) == (None, None, "x is not installed")
    assert "not run: x is not installed" in as_table([entry])


def test_pairs_are_interleaved_and_the_warm_up_is_thrown_away() -> None:
    calls: list[str] = []

    def sample(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    found = paired(lambda: sample("ours"), lambda: sample("peer"), 4, warmups=1)
    assert len(found) == 4
    assert all({first, second} == {"ours", "peer"} for first, second in zip(calls[::2], calls[1::2], strict=True))


async def test_coroutines_are_paired_too() -> None:
    async def work() -> None: ...

    assert len(await paired_async(work, work, 3)) == 3


def test_a_full_run_measures_more_than_a_quick_one() -> None:
    assert Scale(full=True).runs > Scale().runs
    assert Scale(full=True).pick(10, 1000) == 1000
