"""TCP ports on 127.0.0.1: free ones are chosen, a busy configured one is an error."""

import secrets
import socket

from pgkeel.core.errors import ConfigError

__all__ = ["PortBusy", "choose_port", "is_free", "settle_port"]

_LOWEST, _COUNT = 20000, 12000  # below the ports that Linux and macOS give to outgoing connections


class PortBusy(ConfigError):
    """The configured port is used by another program."""

    code = "port_busy"


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_port() -> int:
    """Return a free port, at random, so that two stacks that start together rarely meet."""
    tried = (_LOWEST + secrets.randbelow(_COUNT) for _ in range(1000))
    return next(port for port in tried if is_free(port))


def settle_port(configured: int, remembered: int, *, setting: str) -> int:
    """Return the configured port, else the remembered one while it is free, else a new one.

    Raises:
        PortBusy: The configured port is used by another program.
    """
    if configured and not is_free(configured):
        raise PortBusy(
            f"port {configured} on 127.0.0.1 is used by another program",
            hint=f"set {setting} to another port, or to 0 for a free one",
        )
    if configured:
        return configured
    return remembered if remembered and is_free(remembered) else choose_port()
