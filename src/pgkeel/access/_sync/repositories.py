# Generated from pgkeel/access/_async/repositories.py by tools/unasync.py; do not edit.
"""The repositories of one database handle: statements are compiled once a model, whichever connection they run on."""

from typing import Any, TypeVar, cast

from sqlalchemy.engine import Dialect

from pgkeel.access._sync.repository import Repository
from pgkeel.access._sync.runner import Runner
from pgkeel.access.shape import shape_of
from pgkeel.access.statements import Statements
from pgkeel.core.secret import Secret
from pgkeel.schema import HasRow

__all__ = ["Repositories"]

R = TypeVar("R")


class Repositories:
    """Makes repositories."""

    __slots__ = ("_dialect", "_secret", "_statements")

    def __init__(self, dialect: Dialect, secret: Secret) -> None:
        """Compile for a driver; sign cursors with the secret."""
        self._dialect = dialect
        self._secret = secret
        self._statements: dict[object, Statements[Any]] = {}

    def on(self, runner: Runner, model: HasRow[R]) -> Repository[R]:
        """Return a repository of the model that runs there."""
        known = self._statements.get(model)
        if known is None:
            known = self._statements[model] = Statements(shape_of(model), self._dialect)
        return Repository(runner, cast("Statements[R]", known), self._secret)
