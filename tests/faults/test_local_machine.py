import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pgkeel.core.errors import Refused
from pgkeel.core.secret import Secret
from pgkeel.local import (
    Account,
    Cluster,
    FolderNotWritable,
    OtherMajor,
    PortBusy,
    Runtime,
    ServerFailed,
    UnsafeFolder,
    find_runtime,
    launch,
)
from pgkeel.local.initdb import major_of
from pgkeel.local.ports import choose_port
from pgkeel.postgres import connect
from tests.conftest import MakeCluster, RunAs

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("trap", ["link", "file"])
def test_a_trap_in_place_of_the_socket_folder_is_refused_and_not_followed(
    make_cluster: MakeCluster, place: Path, trap: str
) -> None:
    cluster = make_cluster()
    target = place / "victim"
    target.mkdir()
    cluster.socket.symlink_to(target) if trap == "link" else cluster.socket.write_text("")
    try:
        with pytest.raises(UnsafeFolder, match=str(cluster.socket)) as error:
            cluster.start()
    finally:
        cluster.socket.unlink()

    assert error.value.exit_code == 4
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("left", ["nothing", "a file", "open to others"])
def test_a_socket_folder_that_was_made_and_not_given_away_is_finished(make_cluster: MakeCluster, left: str) -> None:
    if os.getuid() != 0:
        pytest.skip("only root gives folders away")
    cluster = make_cluster()
    cluster.socket.mkdir(mode=0o755 if left == "open to others" else 0o700)
    if left == "a file":
        (cluster.socket / "of somebody").touch()
    try:
        if left == "nothing":
            cluster.start()
            assert cluster.socket.stat().st_uid != 0
        else:
            with pytest.raises(UnsafeFolder, match="belongs to user 0"):
                cluster.start()
    finally:
        cluster.stop()
        (cluster.socket / "of somebody").unlink(missing_ok=True)
        if cluster.socket.exists():
            cluster.socket.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(make_cluster: MakeCluster) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    cluster = make_cluster()
    cluster.socket.mkdir(mode=0o700)
    os.chown(cluster.socket, 12345, 12345)
    try:
        with pytest.raises(UnsafeFolder, match="12345"):
            cluster.start()
    finally:
        cluster.socket.rmdir()


def test_a_busy_configured_port_is_an_error_and_a_busy_chosen_one_is_replaced(make_cluster: MakeCluster) -> None:
    port = choose_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortBusy, match=str(port)):
        make_cluster("configured", port=port).start()

    with make_cluster("chosen") as cluster:
        remembered = cluster.port
    with socket.create_server(("127.0.0.1", remembered)), cluster:
        assert cluster.port != remembered


def test_the_data_of_another_major_is_refused_and_left_alone(make_cluster: MakeCluster, account: Account) -> None:
    cluster = make_cluster()
    (cluster.data / "PG_VERSION").write_text("16\n")

    with pytest.raises(OtherMajor, match="made by PostgreSQL 16, but") as error:
        make_cluster()

    assert error.value.exit_code == 4
    assert major_of(cluster.data) == 16


def test_a_folder_that_is_no_data_directory_is_refused(make_cluster: MakeCluster, place: Path) -> None:
    (place / "one" / "data").mkdir(parents=True)
    (place / "one" / "data" / "precious").write_text("mine")

    with pytest.raises(Refused, match="not a PostgreSQL data directory"):
        make_cluster("one")

    assert (place / "one" / "data" / "precious").read_text() == "mine"


@pytest.mark.majors
def test_a_machine_without_the_locale_gets_a_cluster_all_the_same(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch, major: str
) -> None:
    monkeypatch.setitem(launch._ENVIRONMENT, "PATH", "/nonexistent")  # not even `locale` is there to ask

    with make_cluster("bare", major) as cluster, connect(cluster.superuser_url()) as connection:
        found = connection.execute(
            "SELECT datcollate, pg_encoding_to_char(encoding) AS encoding FROM pg_database LIMIT 1"
        ).fetchone()
        folded = connection.execute("SELECT lower('ÄÖ') AS folded").fetchone()

    assert found == {"datcollate": "C", "encoding": "UTF8"}
    assert folded == {"folded": "äö" if int(major) >= 17 else "ÄÖ"}


def test_an_ordinary_user_without_home_and_user_runs_a_cluster(run_as: RunAs, place: Path) -> None:
    place.chmod(0o1777)
    code = (
        "import sys; from pathlib import Path; from pgkeel.core.secret import Secret; from pgkeel.local import *\n"
        "from pgkeel.postgres import connect\n"
        "account = choose_account(); runtime = find_runtime('17', account=account)\n"
        f"directory = Path({str(place / 'own')!r})\n"
        "cluster = Cluster.create(directory, runtime=runtime, account=account, superuser_password=Secret('x'))\n"
        "with cluster:\n"
        "    with connect(cluster.superuser_url()) as connection: print(account.name, connection.info.server_version // 10000)\n"
        "    cluster.kill(); cluster.start(); print(cluster.is_running, str(cluster.socket).startswith('/tmp/'))\n"
        "cluster.destroy()"
    )

    answer = run_as("nobody", code)

    assert answer.stdout.splitlines() == ["nobody 17", "True True"], answer.stderr


def test_a_folder_that_cannot_be_written_is_a_clear_error(run_as: RunAs, place: Path) -> None:
    code = (
        "from pathlib import Path; from pgkeel.core.secret import Secret; from pgkeel.local import *\n"
        "account = choose_account(); runtime = find_runtime('17', account=account)\n"
        f"directory = Path({str(place / 'closed')!r})\n"
        "try: Cluster.create(directory, runtime=runtime, account=account, superuser_password=Secret('x'))\n"
        "except FolderNotWritable as err: print(err.exit_code, err.message)"
    )

    answer = run_as("nobody", code)

    assert answer.stdout == f"2 cannot create {place / 'closed'}: Permission denied\n", answer.stderr


def test_a_place_without_folders_is_a_clear_error(runtime: Runtime, account: Account) -> None:
    with pytest.raises(FolderNotWritable, match="/proc/nothing"):
        Cluster.create(Path("/proc/nothing"), runtime=runtime, account=account, superuser_password=Secret("x"))


def test_a_server_that_does_not_start_says_why(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(settings={"shared_buffers": "never"})

    with pytest.raises(ServerFailed, match="shared_buffers"):
        cluster.start()

    assert not cluster.is_running


def test_the_password_is_in_no_process_list_and_no_file(make_cluster: MakeCluster, watched: Callable[[], str]) -> None:
    cluster = make_cluster(superuser_password=Secret("canary-31337"))
    with cluster, connect(cluster.superuser_url()):
        seen = watched()

    assert "initdb" in seen
    assert "canary-31337" not in seen
    files = [file for file in cluster.data.parent.rglob("*") if file.is_file()]
    assert not [file for file in files if b"canary-31337" in file.read_bytes()]


@pytest.fixture
def watched() -> Callable[[], str]:
    """Collects the command lines and environments of all processes from now on; the call ends it."""
    seen: set[str] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            for name in ("cmdline", "environ"):
                for file in Path("/proc").glob(f"[0-9]*/{name}"):
                    try:
                        seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def end() -> str:
        is_over.set()
        thread.join()
        return "\n".join(sorted(seen))

    return end


def test_a_major_that_is_not_here_says_how_to_get_it(account: Account, place: Path) -> None:
    with pytest.raises(Exception, match="PostgreSQL 18 is not on this machine") as error:
        find_runtime("18", account=account, folder=place)

    assert "pgkeel local add 18" in str(getattr(error.value, "hint", ""))
