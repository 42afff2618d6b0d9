"""What a cache server says about itself, and whether it may keep our promises."""

import msgspec

from pgkeel.cache.errors import CacheUnsuitable

__all__ = ["Server", "server_of"]

_OLDEST = {"valkey": (8, 0), "redis": (7, 0)}
_COMPARES = {"valkey": (8, 1), "redis": (8, 4)}
_DELETES_EQUAL = {"valkey": (9, 0)}
_NEVER = (1_000_000,)


class Server(msgspec.Struct, frozen=True):
    """One run of a cache server.

    Attributes:
        kind: `valkey` or `redis`.
        version: For example `9.1.2`.
        run: Identity of this run; another one after every restart and failover.
        policy: What it drops when its memory is full.
        figures: All that INFO said.
    """

    kind: str
    version: str
    run: str
    policy: str
    figures: dict[str, str]

    @property
    def can_compare(self) -> bool:
        """Whether SET has IFEQ."""
        return self._numbers >= _COMPARES[self.kind]

    @property
    def can_delete_equal(self) -> bool:
        """Whether DELIFEQ exists."""
        return self._numbers >= _DELETES_EQUAL.get(self.kind, _NEVER)

    @property
    def keeps_marks(self) -> bool:
        """Whether a full memory drops values only: with `allkeys-*` it would drop the marks of writes under way too."""
        return not self.policy.startswith("allkeys")

    @property
    def _numbers(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split(".") if part.isdecimal())


def server_of(info: str) -> Server:
    """Return the server that answered INFO so.

    Raises:
        CacheUnsuitable: It is too old, or a replica.
    """
    figures = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    kind = figures.get("server_name", "redis")
    kind = kind if kind in _OLDEST else "redis"
    version = figures.get("valkey_version") or figures.get("redis_version", "0")
    server = Server(kind, version, figures.get("run_id", ""), figures.get("maxmemory_policy", ""), figures)
    if server._numbers < _OLDEST[kind]:  # noqa: SLF001 - our own
        oldest = ".".join(map(str, _OLDEST[kind]))
        raise CacheUnsuitable(f"the cache runs {kind} {version}", hint=f"{kind} {oldest} is the oldest that can keep rows fresh")
    if figures.get("role") == "slave":
        raise CacheUnsuitable("the cache address leads to a replica", hint="give the address of the primary")
    return server
