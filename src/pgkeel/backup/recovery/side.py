"""A server beside the real one: nobody can reach it, it waits for nobody, archives nothing and follows nobody."""

import contextlib
import shlex
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import msgspec
import psycopg

from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.tools import Tools, tool
from pgkeel.core import clock
from pgkeel.core.errors import KeelError, Unreachable
from pgkeel.core.url import Url
from pgkeel.postgres import connect, load

__all__ = ["AUTO", "SideServer", "apply_wal", "hide_settings", "limits_of", "promote", "show_settings", "wal_from"]

AUTO = "postgresql.auto.conf"
_HIDDEN = "postgresql.auto.conf.restored"
_PAUSED = "paused"
_SAFE = {
    "synchronous_standby_names": "",
    "archive_mode": "off",
    "archive_command": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "summarize_wal": "off",
    "max_standby_archive_delay": "-1",
    "autovacuum": "off",
    "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
    "log_min_duration_statement": "-1",
}
_ONLY_FROM_17 = {"summarize_wal"}
_LIMITS = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
_SPARE = 10
_FOLLOWING = ("recovery_target", "primary_", "restore_command", "synchronous_standby_names")


def wal_from(folder: Path) -> str:
    """Return the `restore_command` that takes WAL from a folder, whatever its name means to PostgreSQL or to a shell."""
    return f'cp {shlex.quote(str(folder)).replace("%", "%%")}/%f "%p"'


class SideServer(Protocol):
    """A server on a data directory of its own; `local.Cluster` is one."""

    @property
    def data(self) -> Path:
        """Its data directory."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        ...

    def start(self, *, wait: timedelta = ...) -> None:
        """Start it and wait until it accepts connections."""
        ...

    def stop(self, *, wait: timedelta = ...) -> None:
        """Stop it, a checkpoint included."""
        ...

    def superuser_url(self, database: str = ...) -> Url:
        """Return its address on the socket."""
        ...


def limits_of(data: Path, tools: Tools) -> dict[str, str]:
    """Return the safe settings, and those that may not be lower than they were: recovery would pause too early.

    They are doubled, because the server may have been given more after the backup.
    """
    said = dict(line.split(":", 1) for line in tool(tools, "pg_controldata", data).splitlines() if ":" in line)
    safe = {name: value for name, value in _SAFE.items() if tools.major >= 17 or name not in _ONLY_FROM_17}
    return safe | {name: str(2 * int(said[label]) + _SPARE) for name, label in _LIMITS.items()}


def hide_settings(data: Path) -> None:
    """Take `ALTER SYSTEM`'s settings out of force: PostgreSQL reads them last, so they would win over the safe ones."""
    if (data / AUTO).exists() and not (data / _HIDDEN).exists():
        (data / AUTO).rename(data / _HIDDEN)


def show_settings(data: Path) -> None:
    """Put `ALTER SYSTEM`'s settings back, without those that follow or wait for another server."""
    if not (data / _HIDDEN).exists():
        return
    lines = (data / _HIDDEN).read_text(encoding="utf-8").splitlines(keepends=True)
    (data / _HIDDEN).write_text("".join(line for line in lines if not line.startswith(_FOLLOWING)), encoding="utf-8")
    (data / _HIDDEN).rename(data / AUTO)


def apply_wal(server: SideServer, target: Mapping[str, str], told: Callable[[int], None], *, patience: timedelta) -> None:
    """Start a server that was told where to stop, and return once it stands exactly there, still read-only.

    Args:
        server: Its data directory has `recovery.signal`, its settings are those of `Cut.settings` and `limits_of`.
        target: Those of `Cut.settings`.
        told: Hears up to which byte position it has replayed.
        patience: How long the replay may take.

    Raises:
        NotRestorable: It stopped somewhere else, or ended; the message carries what it said.
    """
    server.start(wait=patience)
    deadline = clock.monotonic() + patience.total_seconds()
    while clock.monotonic() < deadline:
        place = _replay(server)
        if place.state == _PAUSED:
            _require_reached(place, target)
            return
        told(parse_lsn(place.lsn))
        clock.sleep(timedelta(milliseconds=50))
    raise NotRestorable(f"the target was not reached within {patience}", hint="`pgkeel recover resume` goes on")


def promote(server: SideServer) -> int:
    """Make it a primary on a timeline of its own and return that timeline's number.

    Raises:
        NotRestorable: It did not become one.
    """
    with connect(server.superuser_url(), application="pgkeel recover") as connection:
        if load(__name__, "is_in_recovery").scalar(connection) and not load(__name__, "promote").scalar(connection):
            raise NotRestorable("the server was not promoted within five minutes", hint="`pgkeel recover resume` tries again")
        load(__name__, "checkpoint").run(connection)
        return int(load(__name__, "timeline").scalar(connection))


class _Place(msgspec.Struct, frozen=True):
    state: str = ""
    lsn: str = "0/0"


def _replay(server: SideServer) -> _Place:
    try:
        with connect(server.superuser_url(), application="pgkeel recover") as connection:
            row = load(__name__, "replay").row(connection) or {}
    except (Unreachable, psycopg.OperationalError) as err:
        if server.is_running:
            return _Place()
        raise _ended(server) from err
    return _Place(str(row["state"]), str(row["lsn"]))


def _require_reached(place: _Place, target: Mapping[str, str]) -> None:
    wanted = target.get("recovery_target_lsn")
    exclusive = target.get("recovery_target_inclusive") == "off"
    if wanted is not None and not exclusive and parse_lsn(place.lsn) <= parse_lsn(wanted):
        raise NotRestorable(f"replay paused at {place.lsn}, before {wanted}", hint="see the log of the side server")


def _ended(server: SideServer) -> KeelError:
    with contextlib.suppress(OSError):
        log = max((server.data.parent / "log").glob("*.log"), key=lambda file: file.stat().st_mtime)
        grave = [line for line in log.read_text(errors="replace").splitlines() if "FATAL" in line or "PANIC" in line]
        if grave:
            return NotRestorable(
                f"PostgreSQL ended: {grave[0].partition('] ')[2] or grave[0]}", hint="the WAL does not lead there"
            )
    return NotRestorable("PostgreSQL ended while it replayed the WAL", hint=f"see {server.data.parent / 'log'}")
