"""Where a role logs in to the embedded server; what this needs is loaded only where there is one."""

from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.security.names import LOGINS, SUPERUSER, RoleWord
from pgkeel.stack.layout import layout_of
from pgkeel.stack.memory import require_memory
from pgkeel.stack.password import login_in, read_password

__all__ = ["embedded_url"]


def embedded_url(project: Project, role: RoleWord, *, reveal: bool) -> Url:
    """Return the address at which a role logs in, with its password where `reveal` asks for it.

    Raises:
        Unreachable: The embedded stack was never started.
    """
    layout = layout_of(project)
    memory = require_memory(layout)
    file = layout.password_file(role)
    user, passfile = login_in(file, LOGINS.get(role, SUPERUSER)), {"passfile": str(file)}
    if role in {"superuser", "backup"}:
        url = Url(user=user, host=str(memory.socket), port=memory.port, database=memory.database, options=passfile)
    else:
        verified = {"sslmode": "verify-full", "sslrootcert": str(layout.authority)}
        url = Url(user=user, host="127.0.0.1", port=memory.port, database=memory.database, options=verified | passfile)
    return url.with_login(url.user, read_password(file)) if reveal else url
