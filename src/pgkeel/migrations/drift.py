"""Remember the schema as a run left it, so that a change by hand is seen without building anything."""

from collections.abc import Sequence

import msgspec

from pgkeel.migrations import ledger
from pgkeel.migrations.ledger import Scribe
from pgkeel.postgres import Connection, load
from pgkeel.postgres.catalog import CatalogObject, Difference, Snapshot, differences, snapshot

__all__ = ["drift_between", "recall", "remember"]


def remember(scribe: Scribe, schemas: Sequence[str], unit: int) -> None:
    """Note in the log how the schemas look now: their fingerprint, and every object, so that a difference has a name."""
    found = snapshot(scribe.connection, schemas=schemas)
    objects = [[one.kind, one.name, one.definition] for one in found.objects]
    scribe.event("fingerprint", unit, fingerprint=found.fingerprint, schemas=list(schemas), objects=objects)


def recall(connection: Connection, schemas: Sequence[str], sources: Sequence[str]) -> Snapshot | None:
    """Return how the last run of the sources left the schemas.

    None where it was killed before it could note it, or noted other schemas.
    """
    row = load(__name__, "last_fingerprint").row(connection, sources=list(sources)) if ledger.exists(connection) else None
    if row is None or row["facts"]["schemas"] != list(schemas):
        return None
    return Snapshot(
        tuple(
            msgspec.convert(dict(zip(("kind", "name", "definition"), one, strict=True)), CatalogObject)
            for one in row["facts"]["objects"]
        )
    )


def drift_between(expected: Snapshot, found: Snapshot) -> tuple[Difference, ...]:
    """Return what differs, left the expected; partitions come and go at run time and are no drift while their parent is there."""
    before, after = (_partitions(side) for side in (expected, found))
    moving = {name for name in before ^ after if _parent_is_there(name, expected, found)}
    return differences(_without(expected, moving), _without(found, moving))


def _partitions(side: Snapshot) -> set[str]:
    return {one.name for one in side.only("partition").objects}


def _parent_is_there(name: str, *sides: Snapshot) -> bool:
    definition = next(one.definition for side in sides for one in side.only("partition").objects if one.name == name)
    return all(any(definition.startswith(f"of {one.name} ") for one in side.only("table", "partition").objects) for side in sides)


def _without(side: Snapshot, names: set[str]) -> Snapshot:
    return Snapshot(tuple(one for one in side.objects if not any(_belongs(one, name) for name in names)))


def _belongs(one: CatalogObject, name: str) -> bool:
    is_inside = one.name == name or one.name.startswith((f"{name}.", f"{name} to "))
    return is_inside or (one.kind == "index" and f" ON {name} " in one.definition)
