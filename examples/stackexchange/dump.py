"""Read the files of a data dump as a stream of rows, and say file and row when one is broken.

A file is `NAME.xml` or `NAME.xml.gz`: one element named after it, one `<row …/>` an entity, attributes as columns. Entities
other than XML's own five are refused (no file outside is read, nothing expands without end), so is a document type.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO
from xml.parsers import expat

from pgkeel.core.errors import UsageError

__all__ = ["BrokenDump", "Row", "find_file", "read_rows"]

_CHUNK = 1 << 16


class BrokenDump(UsageError):
    """The data dump cannot be read; nothing was loaded."""

    code = "broken_dump"


class Row:
    """One `<row …/>`, with its place for messages."""

    __slots__ = ("file", "line", "values")

    def __init__(self, file: str, line: int, values: dict[str, str]) -> None:
        """Keep the attributes as they stand."""
        self.file = file
        self.line = line
        self.values = values

    def __str__(self) -> str:
        """Return `Posts.xml.gz, line 7 (row Id 12)`."""
        return f"{self.file}, line {self.line} (row Id {self.values.get('Id', '?')})"

    def broken(self, problem: str, *, hint: str = "correct that row, or get the dump again") -> BrokenDump:
        """Return the error that names this row."""
        return BrokenDump(
            f"{self}: {problem}", hint=hint, data={"file": self.file, "line": self.line, "id": self.values.get("Id")}
        )

    def text(self, name: str) -> str:
        """Return an attribute, or "" without it."""
        return self.values.get(name, "")

    def required(self, name: str) -> str:
        """Return an attribute that every row has.

        Raises:
            BrokenDump: It is not there.
        """
        if name not in self.values:
            raise self.broken(f"there is no {name}")
        return self.values[name]

    def number(self, name: str) -> int | None:
        """Return a whole number, or None without it.

        Raises:
            BrokenDump: It is something else.
        """
        if (text := self.text(name)) == "":
            return None
        try:
            return int(text)
        except ValueError as err:
            raise self.broken(f"{name} is {text!r}, not a number") from err

    @property
    def id(self) -> int:
        """The source's own number."""
        number = self.number("Id")
        if number is None:
            raise self.broken("there is no Id")
        return number

    def moment(self, name: str) -> datetime:
        """Return a point in time; the dump writes UTC without saying so.

        Raises:
            BrokenDump: It is not there, or no time.
        """
        text = self.required(name)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as err:
            raise self.broken(f"{name} is {text!r}, not a time") from err
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def find_file(folder: Path, name: str) -> Path:
    """Return `NAME.xml` or `NAME.xml.gz` of a dump.

    Raises:
        BrokenDump: Neither is there.
    """
    for file in (folder / f"{name}.xml", folder / f"{name}.xml.gz"):
        if file.is_file():
            return file
    raise BrokenDump(f"{folder} has neither {name}.xml nor {name}.xml.gz", hint="name the folder of an unpacked data dump")


def read_rows(file: Path, seen_bytes: Callable[[int], None] = lambda _: None) -> Iterator[Row]:
    """Yield the rows of a file in their order, never the whole file at once.

    Args:
        file: `NAME.xml` or `NAME.xml.gz`.
        seen_bytes: Told now and then how many bytes of the file have been read.

    Raises:
        BrokenDump: The file cannot be unpacked, is not well-formed, is something else, or has one Id twice.
    """
    reader = _Reader(file.name, root=file.name.partition(".")[0].lower())
    seen: set[int] = set()
    with _opened(file) as raw:
        stream = gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw
        for row in reader.rows(stream, lambda: seen_bytes(raw.tell())):
            if row.id in seen:
                raise row.broken("this Id occurs twice")
            seen.add(row.id)
            yield row


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as err:
        raise BrokenDump(f"{file} cannot be read: {err.strerror}", hint="correct its permissions") from err


class _Reader:
    """Feeds expat and collects what it has seen since the last chunk."""

    def __init__(self, name: str, *, root: str) -> None:
        self.name = name
        self.root = root
        self.depth = 0
        self.found: list[Row] = []
        self.last = "the beginning"
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse

    def rows(self, stream: IO[bytes] | gzip.GzipFile, after_chunk: Callable[[], None]) -> Iterator[Row]:
        """Yield the rows of a stream."""
        while chunk := self._chunk(stream):
            self._parse(chunk, is_last=False)
            yield from self._taken()
            after_chunk()
        self._parse(b"", is_last=True)
        yield from self._taken()

    def _taken(self) -> list[Row]:
        found, self.found = self.found, []
        return found

    def _chunk(self, stream: IO[bytes] | gzip.GzipFile) -> bytes:
        try:
            return stream.read(_CHUNK)
        except (OSError, EOFError, zlib.error) as err:
            raise self._broken(f"cannot be unpacked after {self.last}: {err}") from err

    def _parse(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            self.parser.Parse(chunk, is_last)
        except expat.ExpatError as err:
            reason = expat.errors.messages.get(err.code, str(err.code))
            raise self._broken(f"line {err.lineno}, after {self.last}: not well-formed XML: {reason}") from err

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1 and name.lower() != self.root:
            raise self._broken(f"begins with <{name}>, not with <{self.root}>: it is no file of a data dump")
        if self.depth > 1:
            if name != "row" or self.depth > 2:
                raise self._broken(f"line {self.parser.CurrentLineNumber}, after {self.last}: <{name}> has no place here")
            self.found.append(Row(self.name, self.parser.CurrentLineNumber, attributes))
            self.last = f"row Id {attributes.get('Id', '?')}"

    def _end(self, _name: str) -> None:
        self.depth -= 1

    def _refuse(self, *_: object) -> None:
        raise self._broken(f"line {self.parser.CurrentLineNumber}: document types and entities are refused")

    def _broken(self, problem: str) -> BrokenDump:
        separator = ", " if problem.startswith("line") else " "
        return BrokenDump(f"{self.name}{separator}{problem}", hint="get the dump again", data={"file": self.name})
