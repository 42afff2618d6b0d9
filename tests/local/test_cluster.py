import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from psycopg import sql

from pgkeel.core.errors import NotFound, Unreachable
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, Runtime
from pgkeel.postgres import Connection, connect
from tests.conftest import MakeCluster
from tests.ports import listened_before

SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name"


def settings(connection: Connection, *names: str) -> dict[str, str]:
    return {row["name"]: row["setting"] for row in connection.execute(SETTINGS, [list(names)])}


@pytest.mark.majors
def test_a_cluster_has_checksums_unicode_and_what_the_tools_need(empty_db: Url, major: str) -> None:
    with connect(empty_db) as connection:
        found = settings(connection, "data_checksums", "wal_level", "shared_preload_libraries", "server_encoding", "TimeZone")
        locale = connection.execute("SELECT * FROM pg_database WHERE datname = current_database()").fetchone()

    assert found == {
        "data_checksums": "on",
        "wal_level": "replica",
        "shared_preload_libraries": "pg_stat_statements,auto_explain",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert locale is not None
    assert locale["datcollate"] in {"C.UTF-8", "C"}
    assert locale["datlocprovider"] == ("b" if int(major) >= 17 else "c")


@pytest.mark.majors
def test_wal_is_summarised_where_the_server_can(empty_db: Url, major: str) -> None:
    with connect(empty_db) as connection:
        found = settings(connection, "summarize_wal")

    assert found == ({"summarize_wal": "on"} if int(major) >= 17 else {})


@pytest.mark.majors
def test_nobody_is_trusted_and_the_superuser_has_no_line_over_tcp(cluster: Cluster) -> None:
    with connect(cluster.superuser_url()) as connection:
        rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
    over_tcp = Url(
        user="postgres", host="127.0.0.1", port=cluster.port, database="postgres", password=cluster.plan.superuser_password
    )

    assert {rule["auth_method"] for rule in rules} == {"scram-sha-256", "reject"}
    with pytest.raises(Unreachable, match="rejects connection"):
        connect(over_tcp)
    with pytest.raises(Unreachable, match="password authentication failed"):
        connect(cluster.superuser_url().with_login("postgres", Secret("wrong")))
    with pytest.raises(Unreachable, match="no password supplied"):
        connect(cluster.superuser_url().without_password().with_options(passfile="/dev/null"))


def test_only_the_account_can_enter_data_sockets_and_log(cluster: Cluster, account: Account) -> None:
    for folder in (cluster.data, cluster.socket, cluster.log):
        found = folder.lstat()
        assert stat.S_IMODE(found.st_mode) == 0o700, folder
        assert found.st_uid == account.uid, folder
    assert len(str(cluster.socket / ".s.PGSQL.65535.lock")) < 100


def test_the_server_listens_on_the_loopback_address_alone(cluster: Cluster) -> None:
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{cluster.port:04X}")
    ]

    assert listening == [f"0100007F:{cluster.port:04X}"]


def test_the_postmaster_runs_as_the_account_and_has_no_other_group(cluster: Cluster, account: Account) -> None:
    lines = Path(f"/proc/{cluster.pid}/status").read_text().splitlines()
    found = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}

    assert set(found["Uid"]) == {str(account.uid)}
    assert set(found["Gid"]) == {str(account.gid)}
    assert account.uid != 0
    assert account.is_current or found["Groups"] == []


def test_two_clusters_run_side_by_side_and_keep_their_ports(make_cluster: MakeCluster) -> None:
    one, two = listened_before(make_cluster("one")), make_cluster("two")
    with one, two:
        ports = (one.port, two.port)
        assert one.port != two.port
        assert one.socket != two.socket
        assert [one.is_running, two.is_running] == [True, True]

    assert [one.is_running, two.is_running] == [False, False]
    one.start()
    assert one.port == ports[0]


def test_creating_a_cluster_again_touches_nothing(make_cluster: MakeCluster) -> None:
    with make_cluster("one") as cluster:
        cluster.create_database("kept")
    with make_cluster("one") as again, connect(again.superuser_url("kept")) as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_opening_what_was_never_made_says_so(place: Path, runtime: Runtime, account: Account) -> None:
    with pytest.raises(NotFound, match="no data directory"):
        Cluster.open(place, runtime=runtime, account=account, superuser_password=Secret("x"))


def test_a_database_is_a_copy_of_its_template(cluster: Cluster) -> None:
    cluster.create_database("original")
    with connect(cluster.superuser_url("original")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS answer")

    cluster.create_database('copy "quoted"', template="original")

    with connect(cluster.superuser_url('copy "quoted"')) as connection:
        assert connection.execute("SELECT answer FROM t").fetchone() == {"answer": 42}
    cluster.drop_database('copy "quoted"')
    cluster.drop_database("original")
    cluster.drop_database("original")


def test_a_database_that_the_session_of_a_killed_program_is_making_is_waited_for(cluster: Cluster) -> None:
    making = (
        "SELECT count(*) AS sessions FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%CREATE DATABASE \"slow\"%'"
    )
    with ThreadPoolExecutor() as pool, connect(cluster.superuser_url()) as superuser:
        with connect(cluster.superuser_url("template1")):  # a copy waits until nobody is connected to the original
            both = [pool.submit(cluster.ensure_database, "slow") for _ in range(2)]
            while superuser.execute(making + " AND pid <> pg_backend_pid()").fetchone() != {"sessions": 2}:
                assert not any(one.done() for one in both)
        assert [one.result() for one in both] == [None, None]

    cluster.drop_database("slow")


def test_settings_of_the_caller_win_and_a_reload_reads_new_ones(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(settings={"fsync": "off", "work_mem": "7MB", "log_line_prefix": "it's %m"})
    with cluster:
        with connect(cluster.superuser_url()) as connection:
            assert settings(connection, "work_mem", "log_line_prefix") == {"work_mem": "7168", "log_line_prefix": "it's %m"}
        changed = make_cluster(settings={"fsync": "off", "work_mem": "9MB"})
        changed.reload()
        with connect(cluster.superuser_url()) as connection:
            connection.execute("SELECT pg_sleep(0.05)")
            assert settings(connection, "work_mem") == {"work_mem": "9216"}


async def test_an_asyncpg_connection_enters_by_the_same_address(cluster: Cluster) -> None:
    url = cluster.superuser_url()
    connection = await asyncpg.connect(url.reveal())
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


@pytest.mark.majors
def test_a_standby_follows_its_primary_and_is_promoted(make_cluster: MakeCluster, place: Path, major: str) -> None:
    with make_cluster("primary", major) as primary:
        with connect(primary.superuser_url()) as connection:
            connection.execute(sql.SQL("CREATE ROLE copyist LOGIN REPLICATION PASSWORD {}").format(r"co:py\ist"))
            connection.execute("CREATE TABLE t AS SELECT 1 AS n")
        plan = primary.plan
        login = primary.superuser_url().with_login("copyist", Secret(r"co:py\ist"))
        standby = Cluster.create_standby(
            place / "standby",
            primary=login,
            slot="standby",
            runtime=plan.runtime,
            account=plan.account,
            superuser_password=plan.superuser_password,
            settings=plan.settings,
        )
        with standby:
            with connect(standby.superuser_url()) as connection:
                assert connection.execute("SELECT pg_is_in_recovery() AS waits").fetchone() == {"waits": True}
            standby.promote()
            with connect(standby.superuser_url()) as connection:
                connection.execute("INSERT INTO t VALUES (2)")
                assert connection.execute("SELECT count(*) AS rows FROM t").fetchone() == {"rows": 2}
        standby.destroy()
