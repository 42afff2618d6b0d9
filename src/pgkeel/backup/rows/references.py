"""References that a deletion set to NULL: they point again at rows that come back, where nobody has made them point elsewhere."""

from psycopg import sql

from pgkeel.backup.rows.lost import Lost
from pgkeel.backup.rows.shape import Link, carry, names
from pgkeel.backup.rows.spelling import assignments
from pgkeel.postgres import Connection, identifier, load

__all__ = ["References"]


class References:
    """The emptied references to lost rows, which wait in temporary tables of the live side.

    Attributes:
        waiting: Their tables, each with its foreign key.
    """

    def __init__(self, live: Connection, past: Connection, lost: Lost) -> None:
        """None waits yet."""
        self._live, self._past, self._lost = live, past, lost
        self.waiting: list[tuple[sql.Identifier, Link]] = []

    def bring(self) -> None:
        """Copy over which rows pointed to the lost ones by references that a deletion sets to NULL."""
        for table in self._lost.tables:
            for link in self._lost.shape(table).children:
                if link.on_delete == "n" and self._lost.has_rows(link):
                    self._bring(link)

    def refer(self) -> dict[str, int]:
        """Point again at rows that came back; return how many by `table.column`."""
        return {f"{link.child}.{','.join(link.columns)}": self._refer(waiting, link) for waiting, link in self.waiting}

    def _bring(self, link: Link) -> None:
        waiting = identifier("pg_temp", f"references_{len(self.waiting)}")
        self.waiting.append((waiting, link))
        columns = tuple(dict.fromkeys((*self._lost.shape(link.child).key, *link.columns)))
        fields = {"table": link.child.quoted, "columns": names(columns), "waiting": waiting}
        load(__name__, "make_waiting").named(**fields).run(self._live)
        out = load(__name__, "copy_references_out").named(
            child=self._lost.shape(link.child).rows,
            parent=self._lost.shape(link.parent).rows,
            lost=self._lost.keys(link.parent),
            columns=names(columns, of="old"),
            mine=names(link.columns, of="old"),
            theirs=names(link.keys, of="parent"),
            parent_key=self._lost.shape(link.parent).key_then("parent"),
            again=self._lost.again(link.child),
            key=self._lost.shape(link.child).key_then("old"),
        )
        carry(self._past, out, self._live, load(__name__, "copy_waiting_in").named(**fields))

    def _refer(self, waiting: sql.Identifier, link: Link) -> int:
        key = self._lost.shape(link.child).key
        same = (*key, *(name for name in link.columns if name not in link.emptied))
        query = load(__name__, "refer").named(
            child=self._lost.shape(link.child).rows,
            waiting=waiting,
            parent=self._lost.shape(link.parent).rows,
            assignments=assignments(link.emptied),
            emptied=names(link.emptied, of="now"),
            now_key=names(same, of="now"),
            then_key=names(same, of="was"),
            then=names(link.columns, of="was"),
            theirs=names(link.keys, of="parent"),
        )
        return query.run(self._live)
