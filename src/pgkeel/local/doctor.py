"""Whether this machine can run the stack: each fact that `up` depends on, with what to do where it does not hold."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec

from pgkeel.core.errors import KeelError
from pgkeel.core.units import Size
from pgkeel.local.account import Account, choose_account
from pgkeel.local.folders import runtime_folder
from pgkeel.local.initdb import has_c_utf8
from pgkeel.local.launch import run
from pgkeel.local.ports import is_free
from pgkeel.local.runtime import find_runtime, installed_runtimes
from pgkeel.local.valkey_plan import find_valkey

__all__ = ["Fact", "Wish", "examine"]

_LEAST_DISK = Size(2**30)
_LEAST_GLIBC = (2, 17)


class Fact(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        name: What.
        is_fine: Whether the stack can run with it.
        value: What was found.
        hint: What to do when it is not fine, or what it means; "" when there is nothing to say.
    """

    name: str
    is_fine: bool
    value: str
    hint: str = ""


class Wish(msgspec.Struct, frozen=True):
    """What the stack would be started with.

    Attributes:
        state: Where it would keep its state.
        postgres: `local.postgres`.
        run_as: `local.run_as`.
        ports: Setting → configured port, 0 for a free one.
        own_ports: Ports on which this very stack listens already.
        needs_valkey: Whether Valkey is wanted.
        folder: Where releases are kept unpacked; `runtime_folder()` when None.
    """

    state: Path
    postgres: str = "17"
    run_as: str | None = None
    ports: dict[str, int] = {}
    own_ports: Collection[int] = ()
    needs_valkey: bool = True
    folder: Path | None = None


def examine(wish: Wish) -> list[Fact]:
    """Return what was found on this machine, in the order in which it matters; nothing is changed but unpacked releases."""
    facts = [_system(), _glibc(), _home(), _disk(wish), _writable(wish), _time_zones(), *_ports(wish)]
    account, fact = _account(wish)
    if account is None:
        return [fact, *facts]
    return [fact, *facts, _spawning(account), _locale(account), *_programs(wish, account)]


def _system() -> Fact:
    return Fact(
        "system",
        sys.platform in {"linux", "darwin"},
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    )


def _account(wish: Wish) -> tuple[Account | None, Fact]:
    try:
        account = choose_account(wish.run_as)
    except KeelError as err:
        return None, Fact("account", is_fine=False, value=err.message, hint=err.hint)
    return account, Fact("account", is_fine=True, value=f"the servers run as {account.name}", hint=account.warning)


def _spawning(account: Account) -> Fact:
    return _tried("change of account", lambda: run(account, ["/bin/sh", "-c", "echo possible"], timeout=10).strip())


def _glibc() -> Fact:
    found = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    if found is None:
        return Fact(
            "C library", sys.platform == "darwin", "not glibc", "" if sys.platform == "darwin" else "the wheels need glibc"
        )
    version = tuple(int(part) for part in found.split()[1].split("."))
    hint = "" if version >= (2, 34) else "the bundled 17.10 needs glibc 2.34; the other releases use the system's libraries"
    return Fact("C library", version >= _LEAST_GLIBC, found, hint)


def _home() -> Fact:
    missing = [name for name in ("HOME", "USER") if name not in os.environ]  # noqa: TID251 - local may read the environment
    return Fact(
        "environment",
        is_fine=True,
        value=f"without {' and '.join(missing)}, which is fine" if missing else "HOME and USER are set",
    )


def _disk(wish: Wish) -> Fact:
    free = Size(shutil.disk_usage(_existing(wish.state)).free)
    hint = "" if free >= _LEAST_DISK else f"free space up to {_LEAST_DISK}, or set local.directory to another disk"
    return Fact("free disk", free >= _LEAST_DISK, f"{free} below {wish.state}", hint)


def _writable(wish: Wish) -> Fact:
    place = _existing(wish.state)
    is_fine = os.access(place, os.W_OK | os.X_OK)
    return Fact("state folder", is_fine, str(wish.state), "" if is_fine else f"you cannot write {place}: correct its permissions")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _time_zones() -> Fact:
    is_fine = Path("/usr/share/zoneinfo").is_dir()
    return Fact("time zones", is_fine, "present" if is_fine else "missing", "" if is_fine else "install the package tzdata")


def _ports(wish: Wish) -> Iterator[Fact]:
    for setting, port in wish.ports.items():
        if port == 0:
            yield Fact(setting, is_fine=True, value="a free port is chosen")
        elif port in wish.own_ports:
            yield Fact(setting, is_fine=True, value=f"{port}, where this stack listens")
        else:
            is_fine = is_free(port)
            hint = "" if is_fine else f"set {setting} to another port, or to 0 for a free one"
            yield Fact(setting, is_fine, f"{port} is {'free' if is_fine else 'used by another program'}", hint)


def _locale(account: Account) -> Fact:
    if has_c_utf8(account):
        return Fact("locale", is_fine=True, value="C.UTF-8")
    return Fact("locale", is_fine=True, value="no C.UTF-8", hint="15 and 16 sort and fold as C; 17 and 18 have their own C.UTF-8")


def _programs(wish: Wish, account: Account) -> Iterator[Fact]:
    folder = wish.folder or runtime_folder()
    yield _tried("PostgreSQL", lambda: _described(wish.postgres, account, folder))
    majors = installed_runtimes(account=account, folder=folder)
    yield Fact("releases here", is_fine=True, value=", ".join(runtime.version for runtime in majors) or "none")
    if wish.needs_valkey:
        yield _tried("Valkey", lambda: "{1} in {0}".format(*find_valkey(account, folder)))


def _described(wanted: str, account: Account, folder: Path) -> str:
    runtime = find_runtime(wanted, account=account, folder=folder)
    return f"{runtime.version} in {runtime.folder}"


def _tried(name: str, attempt: Callable[[], str]) -> Fact:
    try:
        return Fact(name, is_fine=True, value=attempt())
    except KeelError as err:
        return Fact(name, is_fine=False, value=err.message, hint=err.hint)
