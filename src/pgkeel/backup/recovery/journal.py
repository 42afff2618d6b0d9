"""What a recovery has done so far, written down before and after each step, so that a killed one goes on where it was."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.wish import Wish
from pgkeel.core import clock
from pgkeel.core.files import write_whole
from pgkeel.core.telling import Report

__all__ = ["STEPS", "Journal", "Step", "read_journal", "work_off", "write_journal"]

STEPS = ("stop the application", "restore", "apply WAL", "verify", "resume")
State = Literal["open", "done", "undone"]


class Step(msgspec.Struct, frozen=True):
    """One of the design's five steps.

    Attributes:
        number: 1 to 5.
        name: What it does.
        state: Where it stands.
        seconds: How long it took, or None until it is done.
    """

    number: int
    name: str
    state: Literal["waiting", "running", "done"] = "waiting"
    seconds: float | None = None


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery.

    Attributes:
        id: Its name; sorts by time.
        plan: What it does.
        wish: What was asked for.
        source: The repository that was named, or None.
        system: The cluster's system identifier.
        directory: The server's folder, which becomes the recovered one.
        side: Where it is restored.
        undo: Where the old server's folder is kept; None where there was none.
        keep_sessions: Whether logins survive.
        connections: How many connections the database allowed before step 1 took that away; None where it was not reached.
        started_at: UTC.
        finished_at: UTC; None while it is open.
        state: `open` until step 5 is done.
        steps: The five.
        timeline: The recovered server's timeline, once it is known.
        files: What step 2 found on the disk; None until it is done.
        checks: What step 4 found, and that.
        operator: Who did it.
    """

    id: str
    plan: Plan
    wish: Wish
    source: str | None = None
    system: str
    directory: Path
    side: Path
    undo: Path | None
    keep_sessions: bool = False
    connections: int | None = None
    started_at: datetime
    finished_at: datetime | None = None
    state: State = "open"
    steps: tuple[Step, ...] = tuple(Step(number, name) for number, name in enumerate(STEPS, 1))
    timeline: int | None = None
    files: Check | None = None
    checks: tuple[Check, ...] = ()
    operator: str = ""

    @property
    def rto_seconds(self) -> float | None:
        """How long it took until the application could work again; None while it is open."""
        return None if self.finished_at is None else round((self.finished_at - self.started_at).total_seconds(), 1)


def write_journal(file: Path, journal: Journal) -> None:
    """Write it down whole and durably."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, msgspec.json.format(msgspec.json.encode(journal, enc_hook=str), indent=2) + b"\n")


def read_journal(file: Path) -> Journal | None:
    """Return the journal of a file, or None when there is none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Journal, dec_hook=_path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def work_off(file: Path, journal: Journal, acts: Sequence[Callable[[Journal], Journal]], report: Report) -> Journal:
    """Do the steps that are not done yet, in their order; a killed run does the step again in which it was killed.

    Args:
        file: Where the journal is written before and after each step.
        journal: As it was read.
        acts: What each of the five steps does; each may be done twice.
        report: Hears each step.
    """
    for number in _waiting(journal):
        began = clock.monotonic()
        journal = _marked(file, journal, number, Step(number, STEPS[number - 1], "running"))
        report(f"{number}/5 {STEPS[number - 1]}")
        journal = acts[number - 1](journal)
        took = round(clock.monotonic() - began, 3)
        journal = _marked(file, journal, number, Step(number, STEPS[number - 1], "done", took))
    journal = msgspec.structs.replace(journal, state="done", finished_at=clock.now())
    write_journal(file, journal)
    return journal


def _waiting(journal: Journal) -> Iterator[int]:
    yield from [step.number for step in journal.steps if step.state != "done"]


def _marked(file: Path, journal: Journal, number: int, step: Step) -> Journal:
    steps = tuple(step if old.number == number else old for old in journal.steps)
    journal = msgspec.structs.replace(journal, steps=steps)
    write_journal(file, journal)
    return journal


def _path(_: type, text: str) -> Path:
    return Path(text)
