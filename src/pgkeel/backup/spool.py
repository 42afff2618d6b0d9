"""The receiver's own folder: closed segments that wait for the repository, and the one that is being written.

wal/SYSTEM/
├── SEGMENT             closed; gone once the repository has it
├── SEGMENT.partial     being written by pg_receivewal
├── TTTTTTTT.history
├── damaged/SEGMENT     failed its check; kept for whoever looks
├── undone/             what was being written on a timeline that the server has left, by a recovery or because that was undone
├── major               of the server: its pg_waldump reads what lies here, also while the server is down
├── lock                held by the one that empties the folder
└── receiver.out        what pg_receivewal says
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pgkeel.backup.lsn import timeline_of
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.files import sync_folder, write_whole

__all__ = ["OpenSegment", "Spool"]

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_LEFT = "undone"
_OPEN = re.compile(r"([0-9A-F]{24})\.partial")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")


class OpenSegment(msgspec.Struct, frozen=True):
    """The segment that is being written.

    Attributes:
        name: Its name, without `.partial`.
        path: The file.
    """

    name: str
    path: Path

    def filled(self, start: int = 0) -> bytes:
        """Return the bytes from an offset to the last one that is not zero: WAL is received in order, the rest is not written.

        They are read again once it is known where they end: more may come where zeros were read, before what was read after.
        """
        with self.path.open("rb", buffering=0) as file:
            file.seek(start)
            size = len(file.read().rstrip(b"\0"))
            file.seek(start)
            return file.read(size)


class Spool(msgspec.Struct, frozen=True):
    """The folder of one cluster.

    Attributes:
        folder: Its path.
    """

    folder: Path

    def make(self, major: int) -> None:
        """Make the folder, readable by its owner alone, and remember the server's major."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.major != major:
            write_whole(self.folder / "major", f"{major}\n".encode())

    @property
    def major(self) -> int | None:
        """The server's major; None where nothing was received yet."""
        try:
            return int((self.folder / "major").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    @contextlib.contextmanager
    def emptied_by_us(self) -> Iterator[None]:
        """Be the only one that empties the folder while the block runs; a killed holder lets go.

        Raises:
            LockNotObtained: Another process does.
        """
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockNotObtained(f"another process archives {self.folder}", hint="`pgkeel agent status`") from None
        else:
            yield
        finally:
            os.close(descriptor)

    @property
    def output(self) -> Path:
        """What pg_receivewal says."""
        return self.folder / "receiver.out"

    def closed(self) -> list[Path]:
        """Return the closed segments in the order of timelines and positions."""
        return self._named(_SEGMENT)

    def histories(self) -> list[Path]:
        """Return the history files."""
        return self._named(_HISTORY)

    def open_segments(self) -> list[OpenSegment]:
        """Return the segment that is written now; after a change of timeline the old one's too."""
        return [OpenSegment(path.name.removesuffix(".partial"), path) for path in self._named(_OPEN)]

    def set_aside(self, path: Path) -> None:
        """Move a damaged segment out of the way, so that what follows it is archived."""
        place = self.folder / "damaged"
        place.mkdir(mode=0o700, exist_ok=True)
        path.replace(place / path.name)
        sync_folder(place)

    def clear(self) -> None:
        """Put away what is being written: pg_receivewal then begins where its slot does.

        It may be all that is known of the end of a timeline that a recovery has left, so it is kept.
        """
        for segment in self.open_segments():
            self._put_away(segment)

    def leave_undone(self, timeline: int) -> bool:
        """Put away what is being written on later timelines than the server's: pg_receivewal would go on there, and cannot.

        Returns:
            Whether closed segments of such a timeline are here; they are archived as all are, and until then it cannot either.
        """
        for segment in self.open_segments():
            if timeline_of(segment.name) > timeline:
                self._put_away(segment)
        return any(timeline_of(path.name) > timeline for path in self.closed())

    def drop_stunted(self) -> None:
        """Delete open segments in which nothing is: one that a full disk cut short stops pg_receivewal for ever."""
        for segment in self.open_segments():
            if not segment.filled():
                segment.path.unlink()

    @property
    def left(self) -> Path:
        """Where that lies which was being written when the receiver began elsewhere."""
        return self.folder / _LEFT

    def _put_away(self, segment: OpenSegment) -> None:
        self.left.mkdir(mode=0o700, exist_ok=True)
        segment.path.replace(self.left / segment.path.name)

    def _named(self, pattern: re.Pattern[str]) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if pattern.fullmatch(path.name))
