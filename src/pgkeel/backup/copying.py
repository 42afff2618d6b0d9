"""Copy what lies in one repository to another, byte for byte: what makes an object count comes after the object."""

import contextlib
from collections.abc import Callable, Collection, Iterable
from typing import Literal

from pgkeel.backup.errors import KeyTaken, ObjectLocked
from pgkeel.backup.places import RECORD
from pgkeel.core.repository import Repository

__all__ = ["Copier", "What", "copy_order"]

What = Literal["wal", "backups"]


class Copier:
    """Copies from one repository to another.

    Attributes:
        target: Where to.
    """

    def __init__(self, source: Repository, target: Repository, what: What) -> None:
        """Take from where and where to; the first `run` looks at what is there already.

        Args:
            source: What was written to first.
            target: The copy.
            what: WAL must not wait for a backup that is being copied, so each has a copier of its own.
        """
        self._source = source
        self._what: What = what
        self.target = target
        self._there: dict[str, int] = {}  # key → size
        self._has_looked = False

    def run(
        self, check: Callable[[], None] = lambda: None, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int:
        """Copy what is missing and return how many objects that were.

        Args:
            check: Raises when the work is to end; asked before each object.
            progress: Hears how many of the bytes were copied.

        Raises:
            RepositoryUnreachable: One of them does not answer; what is copied stays.
            KeyTaken: Something else lies under the same key; all that does not belong with it was copied.
        """
        if not self._has_looked:
            self._there = {stored.key: stored.bytes for stored in self.target.list()}
            self._has_looked = True
        sizes = {stored.key: stored.bytes for stored in self._source.list()}
        keys = list(sizes)
        missing = [key for key in copy_order(keys, self._what) if self._there.get(key) != sizes[key]]
        done, total = 0, sum(sizes[key] for key in missing)
        refused: dict[str, KeyTaken] = {}
        for key in missing:
            check()
            if _owner(key) not in refused:
                try:
                    self._copy(key)
                except KeyTaken as err:
                    refused[_owner(key)] = err
            done += sizes[key]
            progress(done, total)
        self._forget_pieces(keys)
        if refused:
            raise next(iter(refused.values()))
        return len(missing)

    def _copy(self, key: str) -> None:
        content = self._source.get(key)
        if content is None:  # deleted meanwhile
            return
        if not self.target.put(key, content) and self.target.get(key) != content:
            raise KeyTaken(
                f"repository {self.target.name}: another object lies under {key}",
                hint="`pgkeel backup verify` says which one is damaged; delete that, and it is copied again",
            )
        self._there[key] = len(content)

    def _forget_pieces(self, keys: list[str]) -> None:
        """Delete the pieces of segments that are whole now; the source has deleted its own."""
        here = set(keys)
        for key in [key for key in self._there if ".partial/" in key and key not in here]:
            if f"{key.partition('.partial/')[0]}.json" in self._there:
                with contextlib.suppress(ObjectLocked):  # nothing reads it any more; pruning asks again
                    self.target.delete(key)
                del self._there[key]


def copy_order(keys: Iterable[str], what: What) -> list[str]:
    """Return the keys that are copied, one backup or segment after the other; unfinished ones may change, and stay."""
    finished = {key.removesuffix(f"/{RECORD}") for key in keys if key.endswith(f"/{RECORD}")}
    known = set(keys)
    wanted = [key for key in known if (_is_wal(key, known) if what == "wal" else _is_finished(key, finished))]
    return sorted(wanted, key=lambda key: (_owner(key), key.endswith(".json"), key))


def _owner(key: str) -> str:
    """Return what an object belongs to: a backup's folder, a segment, a piece; each counts when all of it is there."""
    return key.rpartition("." if key.split("/")[1:2] == ["wal"] else "/")[0]


def _is_wal(key: str, known: Collection[str]) -> bool:
    return key.split("/")[1:2] == ["wal"] and (key.endswith(".history") or f"{key.rpartition('.')[0]}.json" in known)


def _is_finished(key: str, finished: set[str]) -> bool:
    return key.split("/")[1:2] in (["marks"], ["drills"]) or key.rpartition("/")[0] in finished
