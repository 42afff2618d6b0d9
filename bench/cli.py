"""What starting the command line costs: CPU time against the issue's budget and against the import of click alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Entry, Scale, at_most, budget, child_cpu, paired, ratio


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure `pgkeel --help`."""
    program = str(Path(sys.executable).with_name("pgkeel"))
    pairs = paired(child_cpu([program, "--help"]), child_cpu([sys.executable, "-c", "import click"]), scale.runs)
    ours = [pair.ours for pair in pairs]
    yield budget(
        "cli.help.cpu", "CPU of `pgkeel --help`", ours, against="the budget of the foundation issue", target=at_most(0.3)
    )
    yield ratio(
        "cli.help.floor",
        "CPU of `pgkeel --help` over Python importing click",
        pairs,
        better="lower",
        against="python -c 'import click'",
        target=at_most(3.0),
    )
