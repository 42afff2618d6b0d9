"""Read the parts of a schema from a database."""

from collections.abc import Iterator, Mapping, Sequence

from pgkeel.migrations.conversion.grants import grant_parts
from pgkeel.migrations.conversion.parts import Edge, Inventory, Key, Part
from pgkeel.postgres import Connection, Row, load
from pgkeel.postgres.catalog import snapshot

__all__ = ["read_inventory"]

_Address = tuple[int, int, int]
_KINDS = (
    *("table", "partition", "column", "constraint", "index", "trigger", "function", "view", "policy", "type", "sequence"),
    *("extension", "comment"),
)


def read_inventory(connection: Connection, *, schemas: Sequence[str] = ("public",)) -> Inventory:
    """Return the parts of the schemas; objects of extensions are left out. It changes nothing."""
    wanted = list(schemas)
    with connection.transaction(force_rollback=True):
        definitions = {(one.kind, one.name): one.definition for one in snapshot(connection, schemas=schemas).objects}
        load(__name__, "no_search_path").row(connection)
        rows = {kind: load(__name__, f"parts_{kind}").rows(connection, schemas=wanted) for kind in _KINDS}
        targets = load(__name__, "parts_grant").rows(connection, schemas=wanted)
        edges = load(__name__, "edges").rows(connection)
        gives = bool(load(__name__, "public_execute").scalar(connection))
    granted = list(grant_parts(targets, definitions))
    parts = {part.key: part for part in (*_parts(rows, definitions), *(part for part, _ in granted))}
    keys = _keys_by_address(rows, parts)
    found = {*_recorded(edges, keys), *_implied(rows, keys)}
    found |= {Edge(part.key, keys[_address(row)], True) for part, row in granted if _address(row) in keys}
    return Inventory(parts, tuple(sorted(edge for edge in found if edge.key != edge.on)), gives)


def _parts(rows: Mapping[str, Sequence[Row]], definitions: Mapping[Key, str]) -> Iterator[Part]:
    for kind, found in rows.items():
        for row in found:
            key = (kind, row["name"])
            if key in definitions:
                yield Part(key, definitions[key], row["made"], row["dropped"], row["facts"])


def _address(row: Row) -> _Address:
    return (int(row["class"]), int(row["id"]), int(row["sub"]))


def _keys_by_address(rows: Mapping[str, Sequence[Row]], parts: Mapping[Key, Part]) -> dict[_Address, Key]:
    return {
        _address(row): (kind, row["name"])
        for kind, found in rows.items()
        for row in found
        if kind != "comment" and (kind, row["name"]) in parts
    }


def _recorded(rows: Sequence[Row], keys: Mapping[_Address, Key]) -> Iterator[Edge]:
    """Yield what `pg_depend` says; an owned sequence is bound to its column, whose default rests on the sequence."""
    for row in rows:
        key = _key_at(keys, _address(row))
        on = _key_at(keys, (int(row["on_class"]), int(row["on_id"]), int(row["on_sub"])))
        if key is not None and on is not None:
            yield Edge(key, on, row["type"] != "n")


def _key_at(keys: Mapping[_Address, Key], address: _Address) -> Key | None:
    """Return what stands at an address; a partition stands for its columns, which are its parent's."""
    whole = keys.get((*address[:2], 0))
    return keys.get(address) or (whole if whole is not None and whole[0] == "partition" else None)


def _implied(rows: Mapping[str, Sequence[Row]], keys: Mapping[_Address, Key]) -> Iterator[Edge]:
    """Yield what `pg_depend` takes for granted: a column is bound to its table, a comment to what it is about."""
    owners = {(kind, row["name"]): row for kind in ("table", "view", "type") for row in rows[kind]}
    for row in rows["column"]:
        name = row["facts"]["relation"]
        owner = next((key for kind in ("table", "view", "type") if (key := (kind, name)) in owners), None)
        if owner is not None:
            yield Edge(("column", row["name"]), owner, True)
    for row in rows["comment"]:
        facts = row["facts"]
        on = keys.get((int(facts["on_class"]), int(facts["on_id"]), int(facts["on_sub"])))
        if on is not None:
            yield Edge(("comment", row["name"]), on, True)
