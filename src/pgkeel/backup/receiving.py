"""Receive WAL with pg_receivewal: as it is written, flushed at once, from a slot that keeps what we have not got yet."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta

import msgspec

from pgkeel.backup.lsn import SEGMENT_BYTES
from pgkeel.backup.spool import Spool
from pgkeel.backup.tools import Spawn, ToolFailed, Tools
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load

__all__ = ["APPLICATION", "Receiver", "Slot", "drop_lost_slot", "ensure_slot", "slot_of"]

log = get_logger(__name__)

APPLICATION = "pgkeel_wal"  # what synchronous_standby_names calls the receiver
_POLL = timedelta(milliseconds=200)
_NO_REASON = "disconnected"  # what it says last, whatever happened


class Slot(msgspec.Struct, frozen=True):
    """The replication slot of the receiver.

    Attributes:
        active: Whether somebody receives from it.
        wal_status: `reserved`, `extended`, `unreserved`, or `lost`: then the WAL that we have not got is gone.
        restart_lsn: From where on the server keeps WAL, or None.
        safe_bytes: How much more WAL may be written before it is lost, or None without a limit.
        behind_bytes: How much WAL the server has that we have not confirmed, or None.
    """

    active: bool
    wal_status: str | None
    restart_lsn: str | None
    safe_bytes: int | None
    behind_bytes: int | None


def slot_of(connection: Connection, name: str) -> Slot | None:
    """Return the receiver's slot, or None when there is none."""
    row = load(__name__, "slot").row(connection, slot=name)
    return msgspec.convert(row, Slot) if row else None


def ensure_slot(connection: Connection, name: str) -> bool:
    """Make the slot where it is missing, and return whether it was; the server keeps WAL from this moment on."""
    if slot_of(connection, name) is not None:
        return False
    load(__name__, "make_slot").row(connection, slot=name)
    return True


def drop_lost_slot(connection: Connection, name: str) -> bool:
    """Drop a slot whose WAL the server has removed, and return whether it was so: there is a gap, and a full must follow."""
    slot = slot_of(connection, name)
    if slot is None or slot.wal_status != "lost":
        return False
    load(__name__, "drop_slot").row(connection, slot=name)
    log.error("wal.gap", slot=name, reason="the server removed WAL before it was received: max_slot_wal_keep_size")
    return True


class Receiver:
    """One run of pg_receivewal."""

    def __init__(self, spool: Spool, address: str, slot: str, tools: Tools, spawn: Spawn) -> None:
        """Take where from and where to.

        Args:
            spool: Its folder.
            address: A conninfo string without a password, of a login with REPLICATION.
            slot: Name of the replication slot.
            tools: The newest client.
            spawn: How the child is started.
        """
        self._spool = spool
        self._address = address
        self._slot = slot
        self._tools = tools
        self._spawn = spawn

    def run(self, wait: Callable[[timedelta], None]) -> None:
        """Receive until `wait` raises.

        Args:
            wait: Waits for a duration, or raises when the work is to end.

        Raises:
            ToolFailed: pg_receivewal ended; the message carries what it said last.
        """
        self._spool.drop_stunted()
        argv = [str(self._tools.program("pg_receivewal")), f"--directory={self._spool.folder}", f"--slot={self._slot}"]
        argv += ["--synchronous", "--no-loop", "--no-password", f"--dbname={self._address}"]
        with self._spool.output.open("wb") as output:
            child = self._spawn(argv, env=self._tools.variables, stdout=subprocess.DEVNULL, stderr=output)
        try:
            while child.poll() is None:
                wait(_POLL)
        finally:
            if child.poll() is None:
                child.terminate()  # it flushes what it has and ends
                child.wait()
        raise self._ended(child.returncode)

    def _ended(self, code: int) -> ToolFailed:
        said = self._spool.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = [line.removeprefix("pg_receivewal: error: ") for line in said if not line.endswith(_NO_REASON)] or said
        if shutil.disk_usage(self._spool.folder).free < SEGMENT_BYTES:  # what it said about that had no room either
            said = [f"no space left in {self._spool.folder}"]
        hint = "the server keeps what is not received, up to [backup] slot_limit"
        return ToolFailed(f"pg_receivewal ended with code {code}: {said[-1] if said else 'it said nothing'}", hint=hint)
