import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.core.secret import Secret
from pgkeel.local import (
    Account,
    Cluster,
    Runtime,
    launch,
)
from pgkeel.local.alive import wait_until
from pgkeel.postgres import connect
from pgkeel.testing.servers import FAST
from tests.agent.test_agent import is_alive
from tests.conftest import MakeCluster
from tests.ports import listened_before

pytestmark = pytest.mark.faults
SHORT = timedelta(seconds=20)


def rows(cluster: Cluster) -> int:
    with connect(cluster.superuser_url()) as connection:
        found = connection.execute("SELECT count(*) AS n FROM t").fetchone()
    assert found is not None
    return int(found["n"])


@pytest.mark.majors
def test_a_killed_postmaster_is_started_again_with_every_committed_row(make_cluster: MakeCluster, major: str) -> None:
    with listened_before(make_cluster("killed", major)) as cluster:
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
        assert not is_alive(pid)
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
