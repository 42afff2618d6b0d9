"""The models of a project: its own, and those of the reference schema where the project keeps its tables beside them."""

from typing import TYPE_CHECKING, Any

from pgkeel.core.project import Project

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import DeclarativeBase

__all__ = ["soft_deleted_models_of", "tables_of"]


def tables_of(project: Project) -> "tuple[Table, ...]":
    """Return the tables of all models; of two with one name, the project's own.

    Raises:
        ModelsNotFound: `[schema] models` cannot be imported.
    """
    found = {name: table for base in reversed(_bases(project)) for name, table in base.metadata.tables.items()}
    return tuple(found.values())


def soft_deleted_models_of(project: Project) -> list[Any]:
    """Return the models with a soft delete, those that point to others before them.

    Raises:
        ModelsNotFound: `[schema] models` cannot be imported.
    """
    from pgkeel.access.purging import soft_deleted_models  # noqa: PLC0415 - SQLAlchemy only where it is used

    tables = tables_of(project)
    return [model for base in _bases(project) for model in soft_deleted_models(base) if model.__table__ in tables]


def _bases(project: Project) -> "list[type[DeclarativeBase]]":
    """Return the project's own base, and after it that of the reference schema where it is another."""
    from pgkeel.schema.loading import load_base  # noqa: PLC0415 - as above

    own = load_base(project.config.schema.models, project.root)
    if not project.has_reference_schema:
        return [own]
    from pgkeel.schema.models import Base  # noqa: PLC0415 - as above

    return [own] if own.metadata is Base.metadata else [own, Base]
