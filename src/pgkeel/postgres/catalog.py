"""What a database holds, in a form that two databases can be compared by, on any major from 15 to 18.

Physical column order is left out: an added column stands last in one database and in its place in the other, and both are right.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence

import msgspec
from psycopg.pq import TransactionStatus

from pgkeel.postgres.connection import Connection, Row
from pgkeel.postgres.query import load

__all__ = ["CatalogObject", "Difference", "Snapshot", "differences", "snapshot"]

_KINDS = {
    "table": "catalog_tables",
    "partition": "catalog_partitions",
    "column": "catalog_columns",
    "constraint": "catalog_constraints",
    "index": "catalog_indexes",
    "trigger": "catalog_triggers",
    "function": "catalog_functions",
    "view": "catalog_views",
    "policy": "catalog_policies",
    "type": "catalog_types",
    "sequence": "catalog_sequences",
    "extension": "catalog_extensions",
    "grant": "catalog_grants",
    "comment": "catalog_comments",
}
# `varchar IN (…)` is shown as (ARRAY['a'::character varying, …])::text[]; once dumped and restored the cast stands on each word
_WORD = r"'(?:[^']|'')*'::character varying"
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_WORD}(?:, {_WORD})*)\]\)::text\[\]")
_STRING_OR_QUALIFIER = re.compile(r"""('(?:[^']|'')*')|\b(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")\.(?=[a-z_"*])""")


class CatalogObject(msgspec.Struct, frozen=True, order=True):
    """One thing that a database holds.

    Attributes:
        kind: `table`, `partition`, `column`, `constraint`, `index`, `trigger`, `function`, `view`, `policy`, `type`,
            `sequence`, `extension`, `grant` or `comment`.
        name: Its name with the schema, quoted where SQL needs it.
        definition: What it is, as the server says it.
    """

    kind: str
    name: str
    definition: str


class Snapshot(msgspec.Struct, frozen=True):
    """What some schemas of a database hold, in order.

    Attributes:
        objects: Everything found, sorted.
    """

    objects: tuple[CatalogObject, ...]

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that is equal exactly when the objects are, as 64 hex digits."""
        return hashlib.sha256(msgspec.json.encode(self.objects)).hexdigest()

    def only(self, *kinds: str) -> "Snapshot":
        """Return the part of these kinds."""
        return Snapshot(tuple(found for found in self.objects if found.kind in kinds))

    def without(self, *kinds: str) -> "Snapshot":
        """Return the part of all other kinds."""
        return Snapshot(tuple(found for found in self.objects if found.kind not in kinds))


class Difference(msgspec.Struct, frozen=True, order=True):
    """One thing that two databases disagree about.

    Attributes:
        kind: As in `CatalogObject`.
        name: Its name.
        left: Its definition in the first database, None where it is missing.
        right: Its definition in the second one, None where it is missing.
    """

    kind: str
    name: str
    left: str | None
    right: str | None

    def __str__(self) -> str:
        """Say it in one line."""
        match self.left, self.right:
            case None, right:
                return f"{self.kind} {self.name}: only in the second: {right}"
            case left, None:
                return f"{self.kind} {self.name}: only in the first: {left}"
            case left, right:
                return f"{self.kind} {self.name}: {left} ≠ {right}"


def snapshot(connection: Connection, *, schemas: Sequence[str] = ("public",)) -> Snapshot:
    """Return what the schemas hold at one moment; objects of extensions are left out, roles and their owners too.

    Inside a transaction it sees what that transaction did, and between two kinds of objects what others commit. It changes
    nothing, not even the `search_path`.
    """
    is_alone = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction(force_rollback=True):
        if is_alone:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        load(__name__, "catalog_search_path").row(connection)
        found = [one for kind, query in _KINDS.items() for one in _read(connection, kind, query, list(schemas))]
    return Snapshot(tuple(sorted(found)))


def differences(left: Snapshot, right: Snapshot, *, ignoring: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return what two databases disagree about, sorted; `ignoring` names kinds (`grant`, `extension`, …)."""
    first, second = ({(one.kind, one.name): one.definition for one in side.without(*ignoring).objects} for side in (left, right))
    return tuple(
        Difference(kind, name, first.get((kind, name)), second.get((kind, name)))
        for kind, name in sorted(first.keys() | second.keys())
        if first.get((kind, name)) != second.get((kind, name))
    )


def _read(connection: Connection, kind: str, query: str, schemas: list[str]) -> Iterator[CatalogObject]:
    for row in load(__name__, query).rows(connection, schemas=schemas):
        text = _view(row) if kind == "view" else row["definition"]
        yield CatalogObject(kind, row["name"], _CAST_ARRAY.sub(_cast_words, text))


def _cast_words(match: re.Match[str]) -> str:
    return f"ARRAY[{', '.join(f'({word})::text' for word in re.findall(_WORD, match[1]))}]"


def _view(row: Row) -> str:
    text = _STRING_OR_QUALIFIER.sub(lambda match: match[1] or "", " ".join(row["text"].split()))
    kind = "materialized view" if row["is_materialized"] else "view"
    return f"{kind} ({row['options'] or ''}) {text} reads {', '.join(row['reads'])}"
