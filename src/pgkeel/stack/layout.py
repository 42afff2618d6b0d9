"""Where the embedded stack keeps what: a folder of the caller's, and one that the servers' account can reach.

.pgkeel/                the caller's; carries the marker
├── pgkeel-state        marker: `reset` removes only folders that have it
├── lock                held by `up`, `down` and `reset`
├── stack.json          ports, account, server folder
├── secrets/            0700: password files, the authority's key, the key of encrypted columns
├── agent/              the agent's own state
└── server/             or /var/lib/pgkeel/HASH, where the account cannot traverse the project
    ├── pgkeel-state
    ├── tls/            authority.crt, server.crt, server.key (the account's)
    ├── postgres/       the cluster
    └── valkey/
"""

import hashlib
from pathlib import Path

import msgspec

from pgkeel.core.project import Project

__all__ = ["MARKER", "Layout", "layout_of"]

MARKER = "pgkeel-state"
_ELSEWHERE = Path("/var/lib/pgkeel")


class Layout(msgspec.Struct, frozen=True):
    """The paths of one project's stack.

    Attributes:
        state: The caller's folder, `.pgkeel`.
    """

    state: Path

    @property
    def marker(self) -> Path:
        """The file that says whose folder this is."""
        return self.state / MARKER

    @property
    def lock(self) -> Path:
        """The file that `up`, `down` and `reset` lock."""
        return self.state / "lock"

    @property
    def memory(self) -> Path:
        """The file that remembers ports and account."""
        return self.state / "stack.json"

    @property
    def authority(self) -> Path:
        """The certificate that clients trust (`sslrootcert`)."""
        return self.state / "authority.crt"

    @property
    def secrets(self) -> Path:
        """The folder of password files and of the authority's key."""
        return self.state / "secrets"

    @property
    def agent(self) -> Path:
        """The agent's own folder."""
        return self.state / "agent"

    @property
    def server(self) -> Path:
        """The servers' folder, where their account can reach the project."""
        return self.state / "server"

    @property
    def server_elsewhere(self) -> Path:
        """The servers' folder where it cannot: one a project, named by the project's path."""
        return _ELSEWHERE / hashlib.sha256(str(self.state).encode()).hexdigest()[:16]

    @property
    def field_key(self) -> Path:
        """The key that wraps the keys of encrypted columns; a backup of the database alone opens none of them."""
        return self.secrets / "fields.key"

    def password_file(self, role: str) -> Path:
        """Return the libpq password file of `owner`, `app`, `readonly`, `monitor`, `superuser`, or of `valkey`."""
        return self.secrets / f"{role}.pgpass"


def layout_of(project: Project) -> Layout:
    """Return where this project's stack keeps its state."""
    return Layout(project.state)
