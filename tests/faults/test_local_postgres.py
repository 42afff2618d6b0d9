import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
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
from pgkeel.local.alive import wait_until
from pgkeel.local.initdb import major_of
from pgkeel.local.ports import choose_port
from pgkeel.postgres import connect
from pgkeel.testing.servers import FAST
from tests.conftest import MakeCluster, RunAs

pytestmark = pytest.mark.faults
SHORT = timedelta(seconds=20)


def rows(cluster: Cluster) -> int:
    with connect(cluster.superuser_url()) as connection:
        found = connection.execute("SELECT count(*) AS n FROM t").fetchone()
    assert found is not None
    return int(found["n"])


@pytest.mark.majors
def test_a_killed_postmaster_is_started_again_with_every_committed_row(make_cluster: MakeCluster, major: str) -> None:
    with make_cluster("killed", major) as cluster:
        with connect(cluster.superuser_url()) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000)")
        port = cluster.port

        cluster.kill()
        assert not cluster.is_running
        cluster.start()

        assert rows(cluster) == 1000
        assert cluster.port == port


def test_a_backend_that_outlives_its_postmaster_does_not_stop_the_next_start(make_cluster: MakeCluster) -> None:
    with make_cluster() as cluster:
        with connect(cluster.superuser_url()) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1")
        busy = connect(cluster.superuser_url())
        pid = busy.info.backend_pid
        os.kill(pid, signal.SIGSTOP)  # deaf to everything, as a backend deep in a calculation is

        cluster.kill()
        cluster.start()

        assert rows(cluster) == 1
        assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        busy.close()


def test_a_stale_pid_file_whose_number_lives_again_is_repaired(make_cluster: MakeCluster, account: Account) -> None:
    cluster = make_cluster()
    with (cluster.data.parent / "other.log").open("wb") as output:
        stranger = launch.spawn(account, ["/bin/sleep", "60"], output=output)
    try:
        launch.run(
            account,
            [
                "/bin/sh",
                "-c",
                f'printf "{stranger}\n{cluster.data}\n1\n1\n\n\n\nready\n" > "$0"',
                cluster.data / "postmaster.pid",
            ],
        )
        assert not cluster.is_running

        with cluster:
            assert cluster.pid != stranger

        assert not launch.reap(stranger), "the stranger was killed"
    finally:
        os.kill(stranger, signal.SIGKILL)


def test_a_zombie_is_reaped_and_never_taken_for_the_server(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    pid = cluster.pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    assert wait_until(lambda: not cluster.is_running and not Path(f"/proc/{pid}").exists(), SHORT)


def test_a_zombie_of_somebody_else_is_no_server(make_cluster: MakeCluster, runtime: Runtime) -> None:
    cluster = make_cluster()
    cluster.start()
    pid = cluster.pid
    assert pid is not None
    # a parent that never waits, as the first process of many containers is: it holds the zombie while it lives
    code = "import os, sys, time; child = os.fork()\nif not child: os._exit(0)\nprint(child, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as careless:
        assert careless.stdout is not None
        zombie = careless.stdout.readline().strip()
        cluster.stop()
        (cluster.data / "postmaster.pid").write_text(f"{zombie}\n{cluster.data}\n1\n1\n\n\n\nready\n")
        if os.getuid() == 0:
            os.chown(cluster.data / "postmaster.pid", cluster.plan.account.uid, -1)

        with cluster:
            assert cluster.pid != int(zombie)
        careless.kill()


def test_what_a_killed_initdb_left_is_removed_and_made_anew(place: Path, runtime: Runtime, account: Account) -> None:
    directory = place / "half"
    code = (
        "import sys; from pathlib import Path; from pgkeel.core.secret import Secret; from pgkeel.local import *\n"
        "account = choose_account()\n"
        "runtime = find_runtime('17', account=account)\n"
        "Cluster.create(Path(sys.argv[1]), runtime=runtime, account=account, superuser_password=Secret('x'))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(directory)]) as creating:
        assert wait_until(lambda: any(directory.glob(".arriving-*/global")), SHORT), "initdb never began"
        creating.kill()
    assert not Cluster.exists(directory)

    cluster = Cluster.create(directory, runtime=runtime, account=account, superuser_password=Secret("x"), settings=FAST)

    assert not list(directory.glob(".arriving-*"))
    with cluster, connect(cluster.superuser_url()):
        pass
    cluster.destroy()


def test_a_start_killed_at_any_point_is_finished_by_the_next(place: Path, runtime: Runtime, account: Account) -> None:
    directory = place / "often"
    code = (
        "import sys; from pathlib import Path; from pgkeel.core.secret import Secret; from pgkeel.local import *\n"
        "account = choose_account(); runtime = find_runtime('17', account=account)\n"
        "settings = {'fsync': 'off'}\n"
        "print('go', flush=True)\n"
        "directory, password = Path(sys.argv[1]), Secret('x')\n"
        "cluster = Cluster.create(directory, runtime=runtime, account=account, superuser_password=password, settings=settings)\n"
        "cluster.start()"
    )
    for step in range(8):
        with subprocess.Popen([sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, text=True) as starting:
            assert starting.stdout is not None
            starting.stdout.readline()
            time.sleep(0.1 * step)
            starting.kill()

    cluster = Cluster.create(directory, runtime=runtime, account=account, superuser_password=Secret("x"), settings=FAST)
    cluster.start()

    with connect(cluster.superuser_url()):
        pass
    cluster.destroy()


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
