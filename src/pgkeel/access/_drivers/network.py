"""What all drivers do alike about a server that has vanished, and about one that hides behind a pooler."""

import os
import socket
from collections.abc import Mapping
from typing import Any

from pgkeel.core.errors import ConfigError

__all__ = ["KEEPALIVE", "keep_alive", "refuse_settings"]

# A machine that vanished without a word is noticed after 10 + 3 * 5 seconds; libpq's own default waits for hours.
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
_OPTIONS = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}


def keep_alive(transport: Any) -> None:  # noqa: ANN401 - of asyncio or of uvloop
    """Set on the transport of a driver what libpq sets by itself; nothing for a Unix socket, or where there is no transport."""
    line = None if transport is None else transport.get_extra_info("socket")
    if line is None or line.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with socket.socket(fileno=os.dup(line.fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, option in _OPTIONS.items():
            if hasattr(socket, option):
                copy.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), KEEPALIVE[name])


def refuse_settings(settings: Mapping[str, str]) -> None:
    """Refuse session settings where sessions are shared.

    Raises:
        ConfigError: There are some.
    """
    if settings:
        raise ConfigError(
            f"a pooler stands before the server: {', '.join(sorted(settings))} cannot be set by session",
            hint="ALTER ROLE … SET …, or db.transaction(statement_timeout=…)",
        )
