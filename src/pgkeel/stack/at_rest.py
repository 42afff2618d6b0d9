"""Encryption at rest of the embedded stack: where its data lies, and where this machine swaps to."""

from pgkeel.core.project import Project
from pgkeel.security.at_rest import Rest, folder_at_rest, swap_at_rest
from pgkeel.stack.layout import layout_of
from pgkeel.stack.memory import recall

__all__ = ["at_rest"]

_ELSEWHERE = Rest("unknown", "the server is on another machine, or runs without pgkeel: ask who runs it")


def at_rest(project: Project) -> dict[str, Rest]:
    """Return the answers for the data directory and for swap; a database that is not ours can only be attested."""
    attested = project.config.security.at_rest
    if project.is_external:
        said = Rest("attested", f"{attested} says so") if attested else _ELSEWHERE
        return {"data_directory": said, "swap": said}
    layout = layout_of(project)
    memory = recall(layout)
    folder = memory.server if memory else layout.state
    return {
        "data_directory": folder_at_rest(folder if folder.exists() else project.root, attested=attested),
        "swap": swap_at_rest(attested=attested),
    }
