"""Anchors: the newest seal, written where the database's superuser has no say, so that rewriting all seals is seen too."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.files import sync_folder
from pgkeel.core.repository import Repository
from pgkeel.core.sink import Anchor, Sink
from pgkeel.postgres import Connection, load

__all__ = ["FileSink", "RepositorySink", "anchor", "system_of"]


class FileSink:
    """A file to which anchors are appended, a line each; keep it on another machine than the database's."""

    def __init__(self, file: Path) -> None:
        """Name the file; it is made by the first anchor."""
        self._file = file

    @property
    def name(self) -> str:
        """The file."""
        return str(self._file)

    def write(self, anchor: Anchor) -> None:
        """Append an anchor, durably, unless it is the last one already."""
        if any(known == anchor for known in self.anchors(anchor.system)):
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.open("a+b") as file:
                file.seek(0)
                there = file.read()
                is_whole = there.endswith(b"}")  # else half a line, which a kill or a full disk left
                if not is_whole:
                    file.truncate(there.rfind(b"\n") + 1)
                file.write(b"\n" * is_whole + msgspec.json.encode(anchor) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._file.parent)
        except OSError as err:
            raise self._refused(err) from None

    def anchors(self, system: str) -> Iterator[Anchor]:
        """Yield the anchors of a log; half a line, which a kill may leave at the end, is none.

        Raises:
            ConfigError: A line in the middle is no anchor: somebody wrote into the file.
        """
        try:
            lines = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as err:
            raise self._refused(err) from None
        for number, line in enumerate(lines, start=1):
            try:
                known = msgspec.json.decode(line, type=Anchor) if line else None
            except (msgspec.DecodeError, UnicodeDecodeError):
                if number >= len(lines):
                    return
                raise ConfigError(
                    f"{self._file}, line {number} is no anchor", hint="somebody wrote into it: find out who"
                ) from None
            if known is not None and known.system == system:
                yield known

    def _refused(self, err: OSError) -> ConfigError:
        hint = (
            "let it be a file that may be written, with room for it; what was sealed stays sealed: `pgkeel security audit anchor`"
        )
        return ConfigError(f"the anchors in {self._file} cannot be read or written: {err.strerror}", hint=hint)


class RepositorySink:
    """A backup repository: an object for each anchor, which is put once and never overwritten."""

    def __init__(self, repository: Repository) -> None:
        """Name the repository."""
        self._repository = repository

    @property
    def name(self) -> str:
        """The repository's name."""
        return self._repository.name

    def write(self, anchor: Anchor) -> None:
        """Put an anchor; one that is there already is left alone."""
        self._repository.put(f"{self._folder(anchor.system)}/{anchor.epoch:06}-{anchor.seal:012}", msgspec.json.encode(anchor))

    def anchors(self, system: str) -> Iterator[Anchor]:
        """Yield the anchors of a log."""
        for stored in self._repository.list(self._folder(system)):
            content = self._repository.get(stored.key)
            if content is not None:
                yield msgspec.json.decode(content, type=Anchor)

    @staticmethod
    def _folder(system: str) -> str:
        return f"{system.partition('/')[0]}/audit/{system.partition('/')[2]}"


def anchor(connection: Connection, sinks: Sequence[Sink]) -> Anchor | None:
    """Write the newest seal to every sink and return it; None where nothing was sealed yet."""
    row = load(__name__, "last_seal").row(connection)
    if row is None:
        return None
    newest = Anchor(system_of(connection), row["epoch"], row["number"], bytes(row["digest"]).hex(), row["sealed_at"])
    for sink in sinks:
        sink.write(newest)
    return newest


def system_of(connection: Connection) -> str:
    """Return which log this is: the cluster's identifier and the database's name."""
    return str(load(__name__, "system").scalar(connection))
