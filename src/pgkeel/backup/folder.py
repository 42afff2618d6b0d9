"""A repository in a folder: an object appears whole, synced, and only where nothing lay before."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pgkeel.backup.errors import RepositoryFailed, RepositoryUnreachable
from pgkeel.backup.keys import is_key, require_key
from pgkeel.core.files import sync_folder, write_whole
from pgkeel.core.repository import Stored

__all__ = ["Folder"]

_ARRIVING = ".arriving-"
_MARK = ".pgkeel-repository"
_TRIES = 100
_PIECE = 2**16


class Folder:
    """Objects as files below one folder that only its owner can enter."""

    def __init__(self, name: str, root: Path, *, note: Path | None = None) -> None:
        """Take the folder; the first `put` makes it.

        Args:
            name: What the configuration calls it.
            root: The folder.
            note: A file elsewhere that remembers that it was used: where its mark is missing then, a disk is not mounted.
        """
        self.name = name
        self.root = root
        self._note = note
        self._is_noted = note is None

    def put(self, key: str, content: bytes | memoryview) -> bool:
        """Store an object whole and durably; return False, and change nothing, when the key is taken.

        Raises:
            RepositoryFailed: The disk is full or the folder cannot be written; nothing of the object is left.
        """
        with self._explained(key):
            target = self._path(key)
            for _ in range(_TRIES):
                # who deleted the last object of a folder took that away too: before it was used, or while it was found there
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    return self._put(target, content)
            return self._put(target, content)

    def get(self, key: str) -> bytes | None:
        """Return an object as it lies there now, or None when there is none."""
        with self._explained(key):
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                return None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield the objects below a prefix of whole parts, in the order of their keys, without what arrives or is not ours."""
        with self._explained(prefix):
            self._require_mounted()
            found = list(_below(str(self._path(prefix) if prefix else self.root), len(str(self.root)) + 1))
        yield from sorted(found, key=lambda one: one.key)

    def delete(self, key: str) -> None:
        """Remove an object and the folders that it leaves empty; one that is gone already is fine."""
        with self._explained(key):
            target = self._path(key)
            target.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the first folder that holds something else, or is gone, ends it
                for folder in target.relative_to(self.root).parents[:-1]:
                    (self.root / folder).rmdir()

    def sweep(self) -> int:
        """Delete what killed writers left half-written and return how many; nobody else may be writing."""
        with self._explained("what is arriving"):
            left = list(self.root.rglob(f"{_ARRIVING}*"))
            for path in left:
                path.unlink(missing_ok=True)
        return len(left)

    def _noted(self) -> None:
        """Mark the folder, and note that it was, the first time that something is put there."""
        if self._note is None or self._is_noted:
            return
        self._is_noted = True
        with contextlib.suppress(OSError):  # what was put lies there all the same
            (self.root / _MARK).touch(mode=stat.S_IRUSR)
            if not self._was_used():
                self._note.parent.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
                write_whole(self._note, str(self.root).encode())

    def _was_used(self) -> bool:
        return self._note is not None and self._note.is_file() and self._note.read_bytes() == str(self.root).encode()

    def _require_mounted(self) -> None:
        if self._was_used() and not (self.root / _MARK).exists():
            raise RepositoryUnreachable(
                f"repository {self.name}: what was stored in {self.root} is not there",
                hint=f"mount it, or bring it back; `rm {self._note}` lets a new one begin there",
            )

    def _path(self, key: str) -> Path:
        require_key(key)
        return self.root / key

    def _put(self, target: Path, content: bytes | memoryview) -> bool:
        self._make(target.parent)
        is_new = _arrive(target, content)
        self._noted()
        return is_new

    def _make(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        if missing:
            self._require_mounted()
        for one in reversed(missing):
            one.mkdir(mode=stat.S_IRWXU, exist_ok=True)
            sync_folder(one.parent)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            message = f"repository {self.name}: {key} in {self.root}: {err.strerror}"
            raise RepositoryFailed(message, hint="free space, or correct the folder's permissions") from err


def _below(folder: str, cut: int) -> Iterator[Stored]:
    """Yield what lies in a folder and those in it; without `pathlib`, which takes ten times as long, and there are thousands."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except (FileNotFoundError, NotADirectoryError):  # deleted meanwhile, or never there
        return
    for entry in found:
        if not is_key(entry.name):  # what is arriving, our mark, and what others keep there, which may be closed to us
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, cut)
        else:
            yield from _stored(entry, cut)


def _stored(entry: "os.DirEntry[str]", cut: int) -> Iterator[Stored]:
    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
        facts = entry.stat()
        if stat.S_ISREG(facts.st_mode):
            yield Stored(entry.path[cut:], facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))


def _arrive(target: Path, content: bytes | memoryview) -> bool:
    """Write under another name, sync, and link: a link never replaces what is there.

    In small pieces: where the kernel gets megabytes at once, it takes up to three times as long to copy them (docs/figures.md).
    """
    descriptor, name = tempfile.mkstemp(prefix=_ARRIVING, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for start in range(0, len(content), _PIECE):
                file.write(content[start : start + _PIECE])
            file.flush()
            os.fsync(file.fileno())
        os.link(name, target)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):  # deleted again meanwhile, with its folder
        sync_folder(target.parent)
    return True
