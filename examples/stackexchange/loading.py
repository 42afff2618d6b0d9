"""Load a dump in one transaction: all of it or nothing, and only what is not there yet."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from examples.stackexchange.dump import Row, find_file, read_rows
from examples.stackexchange.mapping import Site, role_name
from pgkeel.access.sync import Database
from pgkeel.schema.models import Comment, Event, Post, Role, User, UserRole

__all__ = ["Loaded", "Progress", "load_dump"]

FILES = ("Users", "Posts", "Comments", "Badges", "Votes")
_BATCH = 500


class Loaded(msgspec.Struct, frozen=True):
    """What a load did.

    Attributes:
        site: The site's name.
        read: File → rows in it.
        inserted: Table → rows that were not there before.
        repeated_badges: Badges a user has more than once; they are one role.
    """

    site: str
    read: dict[str, int]
    inserted: dict[str, int]
    repeated_badges: int


class Progress(Protocol):
    """Who wants to know how far it is."""

    def __call__(self, file: Path, seen_bytes: int, /) -> None:
        """Hear that so many bytes of a file have been read."""


def _silent(_file: Path, _seen_bytes: int) -> None: ...


def load_dump(database: Database, folder: Path, *, site: str = "", progress: Progress = _silent) -> Loaded:
    """Load the five files of a folder; what an earlier load of the same site inserted stays as it is.

    Args:
        database: Where to; the schema is there already.
        folder: Holds `Users.xml` (or `.xml.gz`), `Posts`, `Comments`, `Badges`, `Votes`.
        site: Part of every id; the folder's name when it is not given.
        progress: Told how many bytes of which file have been read.

    Raises:
        BrokenDump: A file is missing or broken, or a row breaks a constraint; nothing was loaded.
    """
    files = {name: find_file(folder, name) for name in FILES}
    with database.transaction() as session:
        return _Load(database, session, files, Site(site or folder.resolve().name), progress).run()


class _Load:
    """One load, in the transaction of its session."""

    def __init__(self, database: Database, session: Session, files: Mapping[str, Path], site: Site, progress: Progress) -> None:
        self._database = database
        self._session = session
        self._files = files
        self._site = site
        self._progress = progress
        self._read: dict[str, int] = {}
        self._inserted = dict.fromkeys(("users", "posts", "comments", "roles", "user_roles", "events"), 0)

    def run(self) -> Loaded:
        """Load file after file, in the order of their references."""
        self._users()
        titles = {row.values["Id"]: row.text("Title") for row in read_rows(self._files["Posts"]) if row.text("Title")}
        self._insert(Post, ((row, self._site.post(row, titles)) for row in self._rows("Posts")))
        self._insert(Comment, ((row, self._site.comment(row)) for row in self._rows("Comments")))
        repeated = self._badges()
        self._insert(Event, ((row, self._site.vote(row)) for row in self._rows("Votes")))
        return Loaded(self._site.name, self._read, self._inserted, repeated)

    def _rows(self, name: str) -> Iterator[Row]:
        self._read[name] = 0
        file = self._files[name]
        for row in read_rows(file, lambda seen_bytes: self._progress(file, seen_bytes)):
            self._read[name] += 1
            yield row

    def _users(self) -> None:
        """Users, the one who stands for deleted authors, and the events that keep their names."""
        for batch in _batches(self._rows("Users")):
            self._insert(User, [(row, self._site.user(row)) for row in batch])
            self._insert(Event, [(row, self._site.user_event(row)) for row in batch])
        first = next(iter(read_rows(self._files["Users"])), None)
        if first is not None:
            self._insert(User, [(first, self._site.placeholder_user(first.moment("CreationDate")))])

    def _badges(self) -> int:
        """Roles, and who has them; returns how many were earned again."""
        taken = {role.name: role.id for role in self._session.execute(select(Role.name, Role.id))}
        earned: set[tuple[UUID, UUID]] = set()
        repeated = 0
        for batch in _batches(self._rows("Badges")):
            self._insert(Role, list(self._new_roles(batch, taken)))
            grants = [(row, self._site.user_role(row)) for row in batch]
            first_ones = [grant for grant in grants if _is_first(grant[1], earned)]
            repeated += len(grants) - len(first_ones)
            self._insert(UserRole, first_ones)
        return repeated

    def _new_roles(self, batch: Iterable[Row], taken: dict[str, UUID]) -> Iterator[tuple[Row, dict[str, Any]]]:
        known = set(taken.values())
        for row in batch:
            badge = row.required("Name")
            identity = self._site.id_of("roles", badge)
            if identity not in known:
                name = role_name(badge, taken, identity)
                taken[name] = identity
                known.add(identity)
                yield row, self._site.role(badge, name)

    def _insert(self, model: Any, rows: Iterable[tuple[Row, dict[str, Any]]]) -> None:  # noqa: ANN401 - one of the models
        for batch in _batches(rows):
            sealed = [(row, dict(self._database.sealed(model, values))) for row, values in batch]
            self._inserted[model.__tablename__] += self._insert_batch(model.__table__, sealed)

    def _insert_batch(self, table: Table, batch: list[tuple[Row, dict[str, Any]]]) -> int:
        """Return how many of the rows were not there yet; when one is refused, find it and name it."""
        try:
            return self._insert_values(table, [values for _, values in batch])
        except DBAPIError:
            for row, values in batch:
                try:
                    self._insert_values(table, [values])
                except DBAPIError as err:
                    raise row.broken(f"{table.name} refuses it: {_refusal(err)}") from err
            raise

    def _insert_values(self, table: Table, values: list[dict[str, Any]]) -> int:
        key = list(table.primary_key.columns)
        statement = insert(table).on_conflict_do_nothing(index_elements=key).returning(*key)
        with self._session.begin_nested():
            return len(self._session.execute(statement, values).all())


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, _BATCH)):
        yield batch


def _is_first(grant: dict[str, Any], earned: set[tuple[UUID, UUID]]) -> bool:
    pair = (grant["user_id"], grant["role_id"])
    is_first = pair not in earned
    earned.add(pair)
    return is_first


def _refusal(err: DBAPIError) -> str:
    """Return which rule of the table was broken."""
    diagnosis = getattr(err.orig, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    return f"it breaks {constraint}" if constraint else str(getattr(diagnosis, "message_primary", err.orig))
