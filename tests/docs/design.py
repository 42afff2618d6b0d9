"""Take the design and its trace apart into lines that can be compared."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
DESIGN = ROOT / "docs/database-design.md"
TRACE = ROOT / "docs/design.md"


class Line(NamedTuple):
    """A line of the design that says something, under its heading."""

    heading: str
    text: str


class Entry(NamedTuple):
    """A row of the trace."""

    heading: str
    text: str
    package: str
    proof: str
    rule: str


def design_lines(text: str) -> list[Line]:
    """Return every line that says something: no fences, no lone brackets."""
    heading, lines = "", []
    for raw in text.splitlines():
        if raw.startswith("#"):
            heading = raw.lstrip("# ").strip()
        elif re.search(r"\w", raw) and not raw.startswith("```"):
            lines.append(Line(heading, normal(raw)))
    return lines


def normal(text: str) -> str:
    """Return a line without list marks, bold marks and runs of blanks."""
    return " ".join(re.sub(r"^(?:- |\d\. )", "", text.strip()).replace("**", "").split())


def trace_entries(text: str) -> list[Entry]:
    """Return the rows of the trace's tables."""
    heading, entries = "", []
    for raw in text.splitlines():
        if raw.startswith("#"):
            heading = raw.lstrip("# ").strip()
        elif raw.startswith("| ") and not raw.startswith(("| the design says", "| ---")):
            cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", raw.strip().strip("|"))]
            entries.append(Entry(heading, cells[0].strip("`"), *cells[1:]))
    return entries
