"""Models, column types and conventions; the reference schema of the design.

SQLAlchemy is imported by the modules below (`schema.models`, `schema.mixins`, `schema.types`), not by this one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgkeel.schema.contract import HasRow

if TYPE_CHECKING:
    from pgkeel.schema.row_fields import row_class

__all__ = ["REFERENCE_MIGRATIONS", "HasRow", "row_class"]

REFERENCE_MIGRATIONS = Path(__file__).parent / "migrations"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what PEP 562 asks for
    if name != "row_class":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pgkeel.schema.row_fields import row_class  # noqa: PLC0415 - SQLAlchemy only where it is used

    return row_class
