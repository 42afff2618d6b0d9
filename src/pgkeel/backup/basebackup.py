"""Run pg_basebackup: the data directory with the WAL that makes it consistent, compressed by the server, as one tar a tablespace.

A manifest cannot travel inside a compressed stream, so the tars go into a folder of their own. The base, which comes last, finds
a pipe under its name and never lies there; those of tablespaces are read while they grow, and what has been read gives its room
back.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Literal

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.growing import LOOK, Flowing, Growing, Tar, flowing_or_none
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.tools import Spawn, ToolFailed, Tools
from pgkeel.core import clock
from pgkeel.core.errors import UsageError

__all__ = ["BASE", "BaseBackup", "Compressor", "Progress", "WalRange", "next_compressor", "range_of", "staged"]

Progress = Callable[[int, int], None]  # bytes done, bytes in all
Compressor = Literal["server", "lone server", "client", "lone client", "nobody"]

BASE = "base"
_MANIFEST = "backup_manifest"
_COMPRESS: Mapping[Compressor, str] = {
    "server": "server-zstd:level=1,workers=1",
    "lone server": "server-zstd:1",
    "client": "client-zstd:level=1,workers=1",
    "lone client": "client-zstd:1",
    "nobody": "none",
}
_NO_ZSTD = re.compile(r"zstd.*not supported by this build|not support compression with zstd", re.IGNORECASE)
_NO_THREADS = "could not set compression worker count"
_ALONE: Mapping[Compressor, Compressor] = {"server": "lone server", "client": "lone client"}
_NEXT: Mapping[Compressor, Compressor] = {
    "server": "client",
    "lone server": "client",
    "client": "nobody",
    "lone client": "nobody",
}
_SOON = timedelta(milliseconds=1)
_SAID = re.compile(r"\s*(\d+)/(\d+) kB \(")


class WalRange(msgspec.Struct, frozen=True):
    """The WAL that a backup needs to become consistent.

    Attributes:
        timeline: Its timeline.
        start: LSN from which recovery begins.
        end: LSN at which it is consistent.
    """

    timeline: int
    start: str
    end: str


class _Range(msgspec.Struct):
    timeline: int = msgspec.field(name="Timeline")
    start: str = msgspec.field(name="Start-LSN")
    end: str = msgspec.field(name="End-LSN")


class _Manifest(msgspec.Struct):
    """What is read of it: to skip its thousands of files takes a fifth of the time."""

    ranges: tuple[_Range, ...] = msgspec.field(name="WAL-Ranges")


class BaseBackup:
    """One run; `run` may be called once.

    Attributes:
        manifest: Its `backup_manifest`, when `run` has returned.
        size: Bytes of the tars before compression.
    """

    def __init__(
        self,
        tools: Tools,
        address: str,
        *,
        label: str,
        folder: Path,
        spawn: Spawn,
        progress: Progress,
        parent: Path | None = None,
        compressor: Compressor = "server",
    ) -> None:
        """Take where from and who listens.

        Args:
            tools: The newest client.
            address: A conninfo string without a password, of a login with REPLICATION.
            label: Name of the backup, in its `backup_label`.
            folder: Missing; the tars grow in it.
            spawn: How the child is started.
            progress: Hears how far it is.
            parent: The `backup_manifest` of the backup that an incremental one builds on.
            compressor: Who compresses: the `server`; the `client` where that was built without zstd; else `nobody` of them.
                They do so in a thread beside the one that reads; a `lone` one in that, where its zstd knows no threads.
        """
        self._argv = [str(tools.program("pg_basebackup")), f"--pgdata={folder}", "--format=tar", "--wal-method=fetch"]
        self._suffix = ".tar" if compressor == "nobody" else ".tar.zst"
        self._argv += [f"--compress={_COMPRESS[compressor]}", "--no-sync"]  # what is stored is synced; this is not
        self._argv += ["--checkpoint=fast", "--no-password", "--progress", f"--label={label}", f"--dbname={address}"]
        self._argv += [f"--incremental={parent}"] if parent else []
        self._environment = tools.variables
        self._folder = folder
        self._spawn = spawn
        self._progress = progress
        self._said: list[str] = []
        self._total = 0
        self._taken: set[Path] = set()
        self._base: Flowing | None = None
        self.manifest = b""
        self.size = 0

    def run(self, store: Callable[[str, Tar], None]) -> None:
        """Hand each tar on while it arrives, as its name (`base`, or the oid of a tablespace) and its file.

        Raises:
            ToolFailed: pg_basebackup said no, or it left no manifest.
        """
        child = self._spawn(self._argv, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if child.stderr is None:
            raise ToolFailed("pg_basebackup was started without a pipe")
        listener = threading.Thread(target=self._listen, args=(child.stderr,), name="pg_basebackup says", daemon=True)
        listener.start()
        try:
            self._lay_pipe(child)
            for path in self._arriving(child):
                with self._opened(path, child) as tar:
                    store(path.name.removesuffix(self._suffix), tar)
        finally:
            child.kill()  # where the store failed; one that has ended does not mind
            code = child.wait()
            if self._base:
                self._base.file.close()
            listener.join()
            child.stderr.close()
        if code:
            raise ToolFailed(f"pg_basebackup failed with code {code}: {self._reason}", hint="look at the log of the server")
        self.manifest = self._read_manifest()

    def _lay_pipe(self, child: "subprocess.Popen[bytes]") -> None:
        """Lay a pipe where the base will come, as soon as pg_basebackup has made its folder: it has yet to ask the server."""
        while not self._folder.is_dir() and child.poll() is None:
            clock.sleep(_SOON)
        self._base = flowing_or_none(self._base_path, partial(self._flows_on, child))

    def _opened(self, path: Path, child: "subprocess.Popen[bytes]") -> Tar:
        return self._base if self._base and path == self._base_path else Growing(path, partial(self._read_on, child))

    @property
    def _base_path(self) -> Path:
        return self._folder / f"{BASE}{self._suffix}"

    def _arriving(self, child: "subprocess.Popen[bytes]") -> Iterator[Path]:
        """Yield each tar when it appears; the server sends one after the other, the base last."""
        while True:
            has_ended = child.poll() is not None
            fresh = sorted(self._fresh())
            for path in fresh:
                self._taken.add(path)
                yield path
            if has_ended and not fresh:
                return
            if not fresh:
                self._base.await_some() if self._base else clock.sleep(LOOK)

    def _fresh(self) -> set[Path]:
        found = set(self._folder.glob(f"*{self._suffix}")) - self._taken
        return found if self._base is None or self._base.has_begun else found - {self._base_path}

    def _read_on(self, child: "subprocess.Popen[bytes]") -> bool:
        """Return whether the tar that is read may grow further, after telling how far all is."""
        return self._flows_on(child) and not self._fresh()

    def _flows_on(self, child: "subprocess.Popen[bytes]") -> bool:
        self._progress(self.size, max(self._total, self.size))
        return child.poll() is None

    def _read_manifest(self) -> bytes:
        try:
            return (self._folder / _MANIFEST).read_bytes()
        except FileNotFoundError:
            message = "pg_basebackup left no manifest"
            raise ToolFailed(message, hint="take the backup from a server of 15 or newer") from None

    @property
    def _reason(self) -> str:
        return "; ".join(self._said[-3:]) or "it said nothing"

    def _listen(self, stderr: IO[bytes]) -> None:
        for raw in stderr:
            for line in raw.decode(errors="replace").split("\r"):
                told = _SAID.match(line)
                if told:
                    self.size, self._total = int(told[1]) * 1024, int(told[2]) * 1024
                elif line.strip():
                    self._said.append(line.strip().removeprefix("pg_basebackup: "))


def next_compressor(compressor: Compressor, refusal: str) -> Compressor | None:
    """Return who compresses instead after pg_basebackup said no, or None where it did for another reason."""
    if _NO_THREADS in refusal:
        return _ALONE.get(compressor)
    return _NEXT.get(compressor) if _NO_ZSTD.search(refusal) else None


@contextmanager
def staged(place: Path | None) -> Iterator[Path]:
    """Yield a folder for a stream; what killed backups left in the place goes, so the caller holds the cluster's lease.

    Args:
        place: A folder of our own; None is the system's for temporary files.
    """
    if place is not None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)
    with tempfile.TemporaryDirectory(prefix="pgkeel-backup-", dir=place) as folder:
        yield Path(folder)


def range_of(manifest: bytes) -> WalRange:
    """Return the WAL that a backup needs, from its manifest.

    Raises:
        Damaged: It is no manifest.
    """
    try:
        ranges = msgspec.json.decode(manifest, type=_Manifest).ranges
        parse_lsn(ranges[0].start), parse_lsn(ranges[-1].end)
    except (msgspec.DecodeError, IndexError, UsageError) as err:
        raise Damaged("the backup's manifest cannot be read", hint="take another backup") from err
    return WalRange(ranges[-1].timeline, ranges[0].start, ranges[-1].end)
