"""Shared libraries that the loader cannot find for a program, and the Debian packages that bring them."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pgkeel.local.account import Account
from pgkeel.local.launch import Failed, run

__all__ = ["add_missing", "missing_libraries", "package_of"]

_PACKAGES = {
    "libcrypto.so.3": "libssl3",
    "libssl.so.3": "libssl3",
    "libxml2.so.2": "libxml2",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libkrb5.so.3": "libkrb5-3",
    "libk5crypto.so.3": "libk5crypto3",
    "libcom_err.so.2": "libcom-err2",
    "libkrb5support.so.0": "libkrb5support0",
    "libkeyutils.so.1": "libkeyutils1",
    "liblz4.so.1": "liblz4-1",
    "libzstd.so.1": "libzstd1",
    "liblzma.so.5": "liblzma5",
    "libz.so.1": "zlib1g",
    "libreadline.so.8": "libreadline8",
    "libtinfo.so.6": "libtinfo6",
    "libpam.so.0": "libpam0g",
    "libldap-2.5.so.0": "libldap-2.5-0",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libuuid.so.1": "libuuid1",
}


def package_of(library: str) -> str:
    """Return the Debian package of a library's name (`libssl.so.3`), or what to search for."""
    return _PACKAGES.get(library, f"the package that holds {library} (`apt-file search {library}`)")


def missing_libraries(account: Account, programs: list[Path], environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the libraries that the loader does not resolve for these programs, by name.

    Asks the loader itself (`LD_TRACE_LOADED_OBJECTS`, ld.so(8)), so only on Linux; elsewhere nothing is reported.
    """
    if sys.platform != "linux":
        return []
    traced = {**(environment or {}), "LD_TRACE_LOADED_OBJECTS": "1"}
    lines = [line for program in programs for line in _trace(account, program, traced)]
    return sorted({line.split()[0] for line in lines if line.endswith("not found")})


def _trace(account: Account, program: Path, environment: Mapping[str, str]) -> list[str]:
    try:
        return [line.strip() for line in run(account, [program], environment=environment, timeout=10).splitlines()]
    except Failed:
        return []


def add_missing(account: Account, programs: list[Path], source: Path, target: Path) -> list[str]:
    """Copy the libraries that the loader misses from `source` to `target`; return the names that are still missing.

    A copied library may need others, so the loader is asked again until a round changes nothing.
    """
    environment = {"LD_LIBRARY_PATH": str(target)}
    while True:
        missing = missing_libraries(account, programs, environment)
        found = [name for name in missing if (source / name).is_file() and not (target / name).exists()]
        if not found:
            return missing
        _copy(found, source, target)


def _copy(names: list[str], source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    target.chmod(0o755)
    for name in names:
        (target / name).write_bytes((source / name).read_bytes())
        (target / name).chmod(0o644)
