"""Run pg_basebackup: the data directory with the WAL that makes it consistent, as one tar on its stdout."""

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.tarwatch import TarWatch
from pgkeel.backup.tools import Spawn, ToolFailed, Tools

__all__ = ["BaseBackup", "Progress", "WalRange", "range_of"]

Progress = Callable[[int, int], None]  # bytes done, bytes in all

_MANIFEST = "backup_manifest"
_CHUNK = 2**20
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


class BaseBackup:
    """One run; `write` may be called once.

    Attributes:
        manifest: Its `backup_manifest`, when `write` has returned.
        size: Bytes of the tar.
    """

    def __init__(
        self, tools: Tools, address: str, *, label: str, spawn: Spawn, progress: Progress, parent: Path | None = None
    ) -> None:
        """Take where from and who listens.

        Args:
            tools: The newest client.
            address: A conninfo string without a password, of a login with REPLICATION.
            label: Name of the backup, in its `backup_label`.
            spawn: How the child is started.
            progress: Hears how far it is.
            parent: The `backup_manifest` of the backup that an incremental one builds on.
        """
        self._argv = [str(tools.program("pg_basebackup")), "--pgdata=-", "--format=tar", "--wal-method=fetch"]
        self._argv += ["--checkpoint=fast", "--no-password", "--progress", f"--label={label}", f"--dbname={address}"]
        self._argv += [f"--incremental={parent}"] if parent else []
        self._environment = tools.variables
        self._spawn = spawn
        self._progress = progress
        self._said: list[str] = []
        self._total = 0
        self.manifest = b""
        self.size = 0

    def write(self, sink: IO[bytes]) -> None:
        """Write the tar.

        Raises:
            ToolFailed: pg_basebackup said no, or its tar has no manifest.
        """
        watch = TarWatch(_MANIFEST)
        child = self._spawn(self._argv, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if child.stdout is None or child.stderr is None:
            raise ToolFailed("pg_basebackup was started without pipes")
        listener = threading.Thread(target=self._listen, args=(child.stderr,), name="pg_basebackup says", daemon=True)
        listener.start()
        try:
            while chunk := child.stdout.read(_CHUNK):
                watch.feed(chunk)
                sink.write(chunk)
                self._progress(watch.size, max(self._total, watch.size))
        finally:
            child.stdout.close()  # where the sink failed, this ends it
            code = child.wait()
            listener.join()
            child.stderr.close()
        if code:
            raise ToolFailed(f"pg_basebackup failed with code {code}: {self._reason}", hint="look at the log of the server")
        if watch.found is None:
            raise ToolFailed("pg_basebackup sent no manifest", hint="take the backup from a server of 15 or newer")
        self.manifest, self.size = watch.found, watch.size

    @property
    def _reason(self) -> str:
        return "; ".join(self._said[-3:]) or "it said nothing"

    def _listen(self, stderr: IO[bytes]) -> None:
        for raw in stderr:
            for line in raw.decode(errors="replace").split("\r"):
                told = _SAID.match(line)
                if told:
                    self._total = int(told[2]) * 1024
                elif line.strip():
                    self._said.append(line.strip().removeprefix("pg_basebackup: "))


def range_of(manifest: bytes) -> WalRange:
    """Return the WAL that a backup needs, from its manifest.

    Raises:
        Damaged: It is no manifest.
    """
    try:
        ranges = msgspec.json.decode(manifest)["WAL-Ranges"]
        found = WalRange(ranges[-1]["Timeline"], ranges[0]["Start-LSN"], ranges[-1]["End-LSN"])
        parse_lsn(found.start)
    except (msgspec.DecodeError, KeyError, IndexError, TypeError) as err:
        raise Damaged("the backup's manifest cannot be read", hint="take another backup") from err
    return found
