"""Find the declarative base that `package.module:Base` names."""

import importlib
from pathlib import Path

from sqlalchemy.orm import DeclarativeBase

from pgkeel.core.errors import UsageError
from pgkeel.core.importing import search_in

__all__ = ["ModelsNotFound", "load_base"]


class ModelsNotFound(UsageError):
    """The models cannot be loaded."""

    code = "models_not_found"


def load_base(place: str, root: Path) -> type[DeclarativeBase]:
    """Return a declarative base with all the models of its module.

    Args:
        place: `package.module:Base`.
        root: The project folder; its modules and those in `src/` are found as well.

    Raises:
        ModelsNotFound: The module cannot be imported, or the name in it is no declarative base.
    """
    module_name, _, name = place.partition(":")
    search_in(root, root / "src")
    try:
        base = getattr(importlib.import_module(module_name), name or "Base")
    except (ImportError, AttributeError) as err:
        raise ModelsNotFound(f"{place}: {err}", hint="write --models package.module:Base, or set [schema] models") from err
    if not (isinstance(base, type) and issubclass(base, DeclarativeBase)):
        raise ModelsNotFound(f"{place} is no SQLAlchemy declarative base", hint="name the class that your models inherit from")
    return base
