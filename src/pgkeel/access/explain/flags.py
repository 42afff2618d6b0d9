"""What is wrong with a plan, in words: one function a sign, each says what to do about it."""

from collections.abc import Callable, Iterator, Mapping

from pgkeel.access.explain.node import Node

__all__ = ["flags_of"]

_MANY = 10_000
_OFF = 10


def flags_of(plan: Node, execution: float | None, triggers: Mapping[str, float]) -> tuple[str, ...]:
    """Return the flags, in the order of the plan, each once; times are in milliseconds, None where nothing was run."""
    found: dict[str, None] = {}
    for node in plan.walk():
        for sign in _SIGNS:
            found |= dict.fromkeys(sign(node))
    found |= dict.fromkeys(_of_triggers(execution, triggers))
    return tuple(found)


def _scan(node: Node) -> Iterator[str]:
    read = (node.removed + (node.rows or 0)) * max(node.loops, 1)
    kept = (node.rows or 0) * max(node.loops, 1)
    if node.kind.endswith("Seq Scan") and node.removed and read >= _MANY and kept * _OFF < read:
        yield f"reads {read:,.0f} rows of {node.relation} to keep {kept:,.0f}: an index for {node.condition} would spare that"
    elif node.kind.endswith("Seq Scan") and node.rows is None and node.condition and node.planned * _OFF < _MANY:
        yield f"reads all of {node.relation} for {node.condition}: fine while it is small; --analyze counts"
    elif not node.kind.endswith("Seq Scan") and node.removed * max(node.loops, 1) >= _MANY and kept * _OFF < read:
        yield f"{node.index or node.kind} finds {read:,.0f} rows and {kept:,.0f} are kept: {node.condition} belongs into it"


def _estimate(node: Node) -> Iterator[str]:
    if node.rows is None or not node.loops or max(node.rows, node.planned) < 1_000:
        return
    low, high = sorted((max(node.rows, 1), max(node.planned, 1)))
    if high >= _OFF * low:
        place = f" of {node.relation}" if node.relation else ""
        remedy = (
            f"ANALYZE {node.relation}, or CREATE STATISTICS on columns that depend on each other"
            if node.relation
            else "look below"
        )
        yield f"{node.kind}{place} expected {node.planned:,.0f} rows and got {node.rows:,.0f}: {remedy}"


def _memory(node: Node) -> Iterator[str]:
    if node.sort_space:
        keys = ", ".join(node.sort_keys)
        yield f"sorts {node.sort_space / 1024:.1f} MiB on disk: SET LOCAL work_mem, or an index in the order of {keys}"
    if node.batches > 1:
        yield f"a hash is split into {node.batches} parts on disk: SET LOCAL work_mem"
    if node.lossy:
        yield f"a bitmap of {node.relation} forgot rows for lack of memory ({node.lossy:,} pages): SET LOCAL work_mem"


def _loop(node: Node) -> Iterator[str]:
    for child in node.children if node.kind == "Nested Loop" else ():
        if child.kind == "Seq Scan" and child.loops >= 100 and child.rows is not None:
            yield f"reads {child.relation} {child.loops:,.0f} times: an index for {child.condition or 'the join'} spares that"


def _vacuum(node: Node) -> Iterator[str]:
    rows = (node.rows or 0) * max(node.loops, 1)
    if node.kind.endswith("Index Only Scan") and node.heap_fetches >= 1_000 and node.heap_fetches * 2 > rows:
        yield f"{node.index} alone would do, but {node.heap_fetches:,} rows had to be looked at in {node.relation}: VACUUM it"


def _offset(node: Node) -> Iterator[str]:
    below = node.children[0] if node.kind == "Limit" and node.children else None
    if below is not None and below.rows is not None and node.rows is not None and below.rows >= max(1_000, _OFF * node.rows):
        yield f"reads {below.rows:,.0f} rows to return {node.rows:,.0f}: OFFSET throws the others away, a page by cursor does not"


def _of_triggers(execution: float | None, triggers: Mapping[str, float]) -> Iterator[str]:
    if execution is None:
        return
    for name, milliseconds in triggers.items():
        if milliseconds > max(10, execution / 2):
            yield f"the trigger {name} takes {milliseconds:,.0f} of {execution:,.0f} ms"


_SIGNS: tuple[Callable[[Node], Iterator[str]], ...] = (_scan, _estimate, _memory, _loop, _vacuum, _offset)
