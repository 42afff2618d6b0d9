"""A relationship loads nothing by surprise: where no loader was chosen, reading it is an error and never a hidden query.

It holds for every mapped class of the process that is used after this module was imported: the team's own models and their
backrefs, too. Who wants a relationship to load by itself says how: `lazy="selectin"`.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper, RelationshipProperty

_ON_ACCESS = frozenset({"select", True})
_RAISE = "raise_on_sql"
_fresh: list[Mapper[Any]] = []


@event.listens_for(Mapper, "mapper_configured")
def _note(mapper: Mapper[Any], _: type) -> None:
    _fresh.append(mapper)


@event.listens_for(Mapper, "after_configured")
def _refuse_lazy_loads() -> None:
    """Go through what was configured, and what it points to: a backref is added to the other side."""
    mappers = {other for mapper in _fresh for other in (mapper, *(relation.mapper for relation in mapper.relationships))}
    _fresh.clear()
    for mapper in mappers:
        for relation in mapper.relationships:
            if relation.lazy in _ON_ACCESS and relation.parent is mapper:
                _refuse(relation)


def _refuse(relation: RelationshipProperty[Any]) -> None:
    """Do what `relationship(lazy="raise_on_sql")` does; SQLAlchemy has no way to say it for all of them."""
    said: Any = relation
    said.lazy = _RAISE
    said.strategy_key = (("lazy", _RAISE),)
    said.strategy = said._get_strategy(said.strategy_key)  # noqa: SLF001 - as above
    for mapper in relation.parent.self_and_descendants:
        said_of_class: Any = mapper.class_manager[relation.key]
        said_of_class.impl = None  # or the loader that was there stays
    said.strategy.init_class_attribute(relation.parent)
