"""The statements of this package, one a file in `sql/`, for both colours."""

from pgkeel.postgres import Query, load

__all__ = ["own"]


def own(name: str) -> Query:
    """Return one."""
    return load(__name__, name)
