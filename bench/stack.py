"""What `pgkeel up` costs on a stack that was made before: CPU time, of the command and of all it waits for."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Entry, Sample, Scale, at_most, budget, child_cpu, skipped

_BUDGET = "the budget of the foundation issue"


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure in a project of its own."""
    with tempfile.TemporaryDirectory(prefix="pgkeel-bench-") as folder:
        Path(folder).chmod(0o755)
        pgkeel = [str(Path(sys.executable).with_name("pgkeel")), "-C", folder]
        first = subprocess.run([*pgkeel, "up"], check=False, capture_output=True, text=True)
        try:
            yield from _figures(pgkeel, first, scale)
        finally:
            subprocess.run([*pgkeel, "reset", "--yes"], check=False, capture_output=True)


def _figures(pgkeel: list[str], first: subprocess.CompletedProcess[str], scale: Scale) -> Iterator[Entry]:
    figures = {
        "stack.up.stopped.cpu": ("CPU of `pgkeel up` on an initialised stack that was stopped", ["down"]),
        "stack.up.running.cpu": ("CPU of `pgkeel up` on a stack that runs", ["status"]),
    }
    for identity, (figure, before) in figures.items():
        if first.returncode != 0:
            reason = f"`pgkeel up` failed: {first.stderr.strip()[-200:]}"
            yield skipped(identity, figure, better="lower", against=_BUDGET, target=at_most(3), reason=reason, unit="s cpu")
            continue
        seconds = [_up_after(pgkeel, before)() for _ in range(scale.pick(5, 21))]
        yield budget(identity, figure, seconds, against=_BUDGET, target=at_most(3))


def _up_after(pgkeel: list[str], before: list[str]) -> Sample:
    def sample() -> float:
        subprocess.run([*pgkeel, *before], check=True, capture_output=True)
        return child_cpu([*pgkeel, "up"])()

    return sample
