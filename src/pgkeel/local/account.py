"""As whom the servers run: PostgreSQL refuses root, and rightly so."""

import os
import pwd
from collections.abc import Iterable

import msgspec

from pgkeel.core.errors import ConfigError

__all__ = ["Account", "choose_account"]

_FALLBACKS = ("postgres", "nobody")


class Account(msgspec.Struct, frozen=True):
    """The operating system's account that owns the data and runs the servers.

    Attributes:
        name: Its name, or the number where the machine has no name for it.
        uid: User number.
        gid: Number of its first group.
        is_current: Whether it is the one that runs this Python.
    """

    name: str
    uid: int
    gid: int
    is_current: bool

    @property
    def warning(self) -> str:
        """What `status` has to repeat about the choice; "" when there is nothing to say."""
        if self.name != "nobody":
            return ""
        return "the servers run as nobody, an account that other programs share; create a user `postgres` or set local.run_as"


def choose_account(run_as: str | None = None) -> Account:
    """Return who runs the servers: never root; `run_as`, else `postgres`, else `nobody`; an ordinary user runs them itself.

    Raises:
        ConfigError: `run_as` does not exist, is root, or is somebody else and pgkeel was not started by root.
    """
    if os.getuid() != 0:
        return _own(run_as)
    for name in [run_as] if run_as else _FALLBACKS:
        entry = _entry(name)
        if entry is not None and entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_current=False)
    raise _unusable([run_as] if run_as else _FALLBACKS)


def _own(run_as: str | None) -> Account:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    if run_as not in {None, name}:
        raise ConfigError(
            f"local.run_as is {run_as}, but pgkeel runs as {name}", hint="only root can run the servers as another account"
        )
    return Account(name, uid, os.getgid(), is_current=True)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _unusable(names: Iterable[str]) -> ConfigError:
    tried = " or ".join(names)
    return ConfigError(
        f"no account to run the servers as: {tried} does not exist or is root",
        hint="set local.run_as to an account that is not root: `useradd --system postgres` makes one",
    )
