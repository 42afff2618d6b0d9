"""Draw a plan."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgkeel.access.explain.plan import Explained, Node

__all__ = ["as_text"]


def as_text(explained: "Explained") -> str:
    """Return the plan as a tree, the times, and the flags."""
    lines = list(_lines(explained.plan, "", ""))
    if explained.execution is not None:
        lines.append(f"{explained.execution:,.1f} ms, and {explained.planning or 0:,.1f} ms to plan")
    return "\n".join([*lines, *(f"! {flag}" for flag in explained.flags)])


def _lines(node: "Node", first: str, rest: str) -> Iterator[str]:
    yield f"{first}{_title(node)}"
    for place, child in enumerate(node.children):
        is_last = place == len(node.children) - 1
        yield from _lines(child, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  "))


def _title(node: "Node") -> str:
    words = [node.kind]
    words += [f"on {node.relation}"] if node.relation else []
    words += [f"by {node.index}"] if node.index else []
    words += [f"by {', '.join(node.sort_keys)}"] if node.sort_keys else []
    words += [node.condition] if node.condition else []
    return " ".join([*words, f"· {_counts(node)}"])


def _counts(node: "Node") -> str:
    if node.rows is None:
        return f"{node.planned:,.0f} rows expected"
    if not node.loops:
        return "never run"
    times = f" x {node.loops:,.0f}" if node.loops > 1 else ""
    took = f", {node.milliseconds:,.1f} ms" if node.milliseconds is not None else ""
    return f"{node.rows:,.0f} rows of {node.planned:,.0f} expected{times}{took}"
