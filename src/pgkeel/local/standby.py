"""Copy a running primary as a standby that follows it."""

from pathlib import Path

import psycopg.conninfo

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local.files import write_private
from pgkeel.local.initdb import arriving
from pgkeel.local.launch import run
from pgkeel.local.plan import Plan

__all__ = ["copy_primary"]


def copy_primary(plan: Plan, data: Path, *, primary: Url, folder: Path, slot: str | None) -> None:
    """Make `data` a copy of the primary with `standby.signal` and `primary_conninfo` in it.

    Args:
        plan: Programs, of the primary's major, and owner of the copy.
        data: The data directory to make.
        primary: Its replication login; the password goes into a file that only the account reads, never into an argument.
        folder: Where the password file stays: the standby reads it whenever it connects.
        slot: Name of a replication slot to create and use, so that the primary keeps the WAL that the standby needs.

    Raises:
        Failed: pg_basebackup said no.
        FolderNotWritable: The place cannot be written.
    """
    file = folder / "primary.pass"
    write_private(file, _line(primary.user, primary.password), plan.account)
    known = {name: value for name, value in primary.keywords().items() if "password" not in name and name != "dbname"}
    address = psycopg.conninfo.make_conninfo("", **known, passfile=str(file), application_name=plan.name)
    options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-password", f"--dbname={address}"]
    options += ["--create-slot", f"--slot={slot}"] if slot else []
    program, environment = plan.runtime.program("pg_basebackup"), plan.runtime.environment
    with arriving(data, plan.account) as place:
        run(plan.account, [program, f"--pgdata={place}", *options], environment=environment, folder=place, timeout=None)


def _line(user: str, password: Secret | None) -> str:
    """Return a line of a password file (libpq, 34.16), for this user on any address."""
    escaped = [part.replace("\\", "\\\\").replace(":", "\\:") for part in (user, password.reveal() if password else "")]
    return f"*:*:*:{escaped[0]}:{escaped[1]}\n"
