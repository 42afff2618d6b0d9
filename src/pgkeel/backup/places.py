"""Where what lies in a repository: every key is made here, and nowhere else.

SYSTEM/                          the cluster's system identifier
├── ID/                          one backup
│   ├── base.NNNNN               sealed: a tar of the data directory, its own WAL (pg_wal) in it
│   ├── tablespace-OID.NNNNN     sealed: a tar of a tablespace besides the two that every cluster has
│   ├── manifest.NNNNN           zstd, in clear: backup_manifest, for the next incremental and for checks without a key
│   ├── relations.NNNNN          sealed: which file was which table then (JSON)
│   ├── keys.NNNNN               sealed: the key ring, wrapped
│   └── backup.json              the record, stored last
├── wal/
│   ├── TTTTTTTT.history         in clear, as the server wrote it
│   └── TTTTTTTT/
│       ├── SEGMENT.NNNNN        sealed: a closed segment
│       ├── SEGMENT.json         its row of the index, stored last
│       └── SEGMENT.partial/     the filled prefix of the open segment, in pieces
│           ├── OFFSET.NNNNN     sealed: bytes from OFFSET (8 hexadecimal digits) on
│           └── OFFSET.json
├── marks/kept/ID                never prune this backup
├── marks/verified/ID/TIME       a drill or check restored this backup
├── drills/ID.json               what a drill found
└── lease/                       who works on this repository: work/NUMBER (one), reading/NAME (any number)
"""

__all__ = [
    "RECORD",
    "history_key",
    "is_apart",
    "kept_key",
    "lease_folder",
    "piece_key",
    "pieces_folder",
    "segment_key",
    "verified_folder",
    "wal_folder",
]

RECORD = "backup.json"
_APART = frozenset({"wal", "marks", "lease", "drills"})


def is_apart(key: str) -> bool:
    """Return whether an object belongs to no single backup."""
    return not _APART.isdisjoint(key.split("/")[1:2])


def wal_folder(system: str, timeline: int | None = None) -> str:
    """Return where a cluster's WAL lies, or that of one timeline."""
    return f"{system}/wal" if timeline is None else f"{system}/wal/{timeline:08X}"


def segment_key(system: str, name: str) -> str:
    """Return what the keys of a segment begin with."""
    return f"{system}/wal/{name[:8]}/{name}"


def pieces_folder(system: str, name: str) -> str:
    """Return where the pieces of an open segment lie."""
    return f"{segment_key(system, name)}.partial"


def piece_key(system: str, name: str, offset: int) -> str:
    """Return what the keys of a piece begin with."""
    return f"{pieces_folder(system, name)}/{offset:08X}"


def history_key(system: str, timeline: int) -> str:
    """Return the key of a timeline's history file."""
    return f"{system}/wal/{timeline:08X}.history"


def kept_key(system: str, backup: str) -> str:
    """Return the key of the mark that keeps a backup."""
    return f"{system}/marks/kept/{backup}"


def verified_folder(system: str, backup: str) -> str:
    """Return where the marks lie that say when a backup was restored as a test."""
    return f"{system}/marks/verified/{backup}"


def lease_folder(system: str) -> str:
    """Return where the leases of a cluster's repository lie."""
    return f"{system}/lease"
