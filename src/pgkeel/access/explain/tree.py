"""Draw a plan."""

from collections.abc import Iterator

from pgkeel.access.explain.node import Node

__all__ = ["tree_lines"]


def tree_lines(plan: Node) -> Iterator[str]:
    """Yield a plan as a tree, a line a step."""
    yield from _lines(plan, "", "")


def _lines(node: Node, first: str, rest: str) -> Iterator[str]:
    yield f"{first}{_title(node)}"
    for place, child in enumerate(node.children):
        is_last = place == len(node.children) - 1
        yield from _lines(child, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  "))


def _title(node: Node) -> str:
    words = [node.kind]
    words += [f"on {node.relation}"] if node.relation else []
    words += [f"by {node.index}"] if node.index else []
    words += [f"by {', '.join(node.sort_keys)}"] if node.sort_keys else []
    words += [node.condition] if node.condition else []
    return " ".join([*words, f"· {_counts(node)}"])


def _counts(node: Node) -> str:
    if node.rows is None:
        return f"{node.planned:,.0f} rows expected"
    if not node.loops:
        return "never run"
    times = f" x {node.loops:,.0f}" if node.loops > 1 else ""
    took = f", {node.milliseconds:,.1f} ms" if node.milliseconds is not None else ""
    return f"{node.rows:,.0f} rows of {node.planned:,.0f} expected{times}{took}"
