"""What a backup must know of the server, and whether its native incremental backups can be trusted."""

import msgspec

from pgkeel.postgres import Connection, load

__all__ = ["SOUND_MINORS", "Source", "is_sound", "source_of"]

# Earlier minors did not log which visibility-map bits a change clears, so the WAL summarizer misses these blocks and a
# combined backup counts rows wrong: 8,006,117 instead of 8,000,000 on 17.10 (PostgreSQL commit ed62d26, July 2026).
SOUND_MINORS = {17: 11, 18: 6}


class Source(msgspec.Struct, frozen=True):
    """A server as a backup sees it.

    Attributes:
        number: `server_version_num`, for example 170011.
        system: Its system identifier.
        timeline: Its timeline at the last checkpoint.
        checksums: Whether it has data checksums.
        summarizes: Whether `summarize_wal` is on.
        in_recovery: Whether it is a standby.
        login: Who asked.
        replicates: Whether that login may replicate.
        tablespaces: Oids of those besides the two that every cluster has.
    """

    number: int
    system: str
    timeline: int
    checksums: bool
    summarizes: bool
    in_recovery: bool
    login: str
    replicates: bool
    tablespaces: tuple[int, ...] = ()

    @property
    def major(self) -> int:
        """The major version, for example 17."""
        return self.number // 10000

    @property
    def version(self) -> str:
        """The version as people write it, for example 17.11."""
        return f"{self.major}.{self.number % 10000}"

    @property
    def why_not_incremental(self) -> str:
        """Why a native incremental backup cannot be taken; "" where it can."""
        if self.major < min(SOUND_MINORS):
            return f"PostgreSQL {self.version} has no incremental backups"
        if not is_sound(self.version):
            sound = f"{self.major}.{SOUND_MINORS[self.major]}"
            return f"incremental backups of PostgreSQL {self.version} restore wrong rows; {sound} corrects it"
        if not self.checksums:
            return "the cluster has no data checksums, without which incremental backups can miss changed blocks"
        return "" if self.summarizes else "summarize_wal is off"


def is_sound(version: str) -> bool:
    """Return whether native incremental backups of a release restore what was there."""
    major, _, minor = version.partition(".")
    return int(major) > max(SOUND_MINORS) or int(minor) >= SOUND_MINORS.get(int(major), 10**6)


def source_of(connection: Connection) -> Source:
    """Return what the connected server is."""
    return msgspec.convert(load(__name__, "source").row(connection), Source)
