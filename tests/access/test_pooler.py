"""Behind PgBouncer in transaction mode: recognised, nothing named where names get lost, sessions refused with a way out.

Debian's PgBouncer runs these tests; `PGKEEL_TEST_PGBOUNCER=/path/of/pgbouncer` names another one, such as 1.21 or newer.
"""

import asyncio
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import select, text

from pgkeel.access import SessionFeature
from pgkeel.core.clock import monotonic, sleep
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url
from pgkeel.local import Account
from pgkeel.schema.models import Post, User
from tests.access.conftest import done
from tests.ports import own_port

PROGRAM = os.environ.get("PGKEEL_TEST_PGBOUNCER") or shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
pytestmark = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="PgBouncer is not installed; .ci/run installs Debian's")


def version() -> tuple[int, int]:
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.fixture
def pooled(url: Url, place: Path, account: Account) -> Iterator[Url]:
    """The test's database behind a PgBouncer whose three servers are shared by all."""
    port = own_port()
    settings = place / "pgbouncer.ini"
    names = "max_prepared_statements = 100\n" if version() >= (1, 21) else ""
    target = f"host={url.host} port={url.port} dbname={url.database} user={url.user}"
    secret = f" password='{url.password.reveal()}'" if url.password else ""
    settings.write_text(
        f"[databases]\npooled = {target}{secret}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = 3\nlogfile =\n{names}"
    )
    place.chmod(0o755)
    settings.chmod(0o644)
    command = [PROGRAM, *(["-u", account.name] if os.getuid() == 0 else []), str(settings)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _answering(Url(user=url.user, host="127.0.0.1", port=port, database="pooled"), child)
    finally:
        child.kill()  # 1.23 and newer answer SIGTERM by waiting for their clients
        child.wait()


def _answering(place: Url, child: "subprocess.Popen[bytes]") -> Url:
    until = monotonic() + 10
    while not _answers(place):
        assert child.poll() is None
        assert monotonic() < until
        sleep(timedelta(milliseconds=50))
    return place


def _answers(place: Url) -> bool:
    try:
        with psycopg.connect(place.reveal()) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


async def test_the_pooler_is_recognised_and_so_is_what_it_can_do(open_db: Any, pooled: Url, url: Url) -> None:
    behind, direct = await open_db(pooled), await open_db(url)
    assert (behind.pool.driver.is_pooled, direct.pool.driver.is_pooled) == (True, False)
    assert behind.pool.driver.has_names is (version() >= (1, 21))
    assert direct.pool.driver.has_names


@pytest.mark.skipif(Path(PROGRAM).exists() and version() >= (1, 21), reason="this PgBouncer knows named statements")
async def test_a_name_that_another_client_left_on_the_server_harms_nobody(open_db: Any, pooled: Url) -> None:
    with psycopg.connect(pooled.reveal(), autocommit=True) as stranger:
        for name in ("_pg3_0", "pgkeel_probe"):
            stranger.execute(f"PREPARE {name} AS SELECT 2")
    db = await open_db(pooled)
    assert not db.pool.driver.has_names
    assert await db.repository(Post).count() == 0


async def test_all_doors_work_for_many_at_once_on_a_few_servers(open_db: Any, pooled: Url, colour: str) -> None:
    db = await open_db(pooled, pool=PoolConfig(connect=timedelta(seconds=30)))
    author = await db.repository(User).insert(email="a@b.c", password_hash="!")
    if colour == "psycopg-sync":
        _in_threads(db._inner, author)
    else:
        await asyncio.gather(*(_work(db, author, number) for number in range(40)))
    assert await db.repository(Post).count() == 80
    assert await db.sql("SHOW timezone", into=str) == ["UTC"]
    if not db.pool.driver.has_names:
        assert await db.sql("SELECT count(*) FROM pg_prepared_statements", into=int) == [0]


async def test_a_statement_run_often_gets_no_name_where_names_get_lost(open_db: Any, pooled: Url, colour: str) -> None:
    db = await open_db(pooled, pool=PoolConfig(min=1, max=1))
    author = await db.repository(User).insert(email="a@b.c", password_hash="!")
    for number in range(12):  # psycopg names what it has seen five times
        if colour == "psycopg-sync":
            _work_in_thread(db._inner, author, number)
        else:
            await _work(db, author, number)
    if not db.pool.driver.has_names:
        assert await db.sql("SELECT statement FROM pg_prepared_statements", into=str) == []


async def _work(db: Any, author: Any, number: int) -> None:
    key = await db.repository(Post).insert(user_id=author, title=f"t{number}", content="c", metadata={"n": number})
    assert (await db.repository(Post).get(key)).metadata == {"n": number}
    async with db.transaction() as tx:
        tx.add(Post(user_id=author, title=f"u{number}", content="c"))
        assert await tx.scalar(select(Post.title).where(Post.id == key)) == f"t{number}"
        assert await tx.sql("SELECT title FROM posts WHERE id = %(key)s", into=str, key=key) == [f"t{number}"]


def _work_in_thread(db: Any, author: Any, number: int) -> None:
    key = db.repository(Post).insert(user_id=author, title=f"t{number}", content="c", metadata={"n": number})
    assert db.repository(Post).get(key).metadata == {"n": number}
    with db.transaction() as tx:
        tx.add(Post(user_id=author, title=f"u{number}", content="c"))
        assert tx.scalar(select(Post.title).where(Post.id == key)) == f"t{number}"
        assert tx.sql("SELECT title FROM posts WHERE id = %(key)s", into=str, key=key) == [f"t{number}"]


def _in_threads(db: Any, author: Any) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            _work_in_thread(db, author, number)
        except BaseException as err:  # noqa: BLE001 - the test reports whatever it is
            errors.append(err)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        ("SET work_mem = '1MB'", "SET LOCAL"),
        ("SELECT set_config('work_mem', '1MB', false)", "SET LOCAL"),
        ("SELECT pg_advisory_lock(1)", "tx.lock"),
        ("LISTEN news", "past the pooler"),
        ("CREATE TEMP TABLE t (a int)", "ON COMMIT DROP"),
    ],
)
async def test_what_needs_a_session_is_refused_with_the_way_out(open_db: Any, pooled: Url, statement: str, way: str) -> None:
    db = await open_db(pooled)
    with pytest.raises(SessionFeature) as caught:
        await db.sql(statement)
    assert way in caught.value.hint
    with pytest.raises(SessionFeature):
        async with db.transaction() as tx:
            await done(tx.execute(text(statement)))
    async with db.transaction() as tx:
        await done(tx.sql("SET LOCAL work_mem = '1MB'"))
        await done(tx.lock("a", 1))
        await done(tx.sql("CREATE TEMP TABLE t (a int) ON COMMIT DROP"))
    assert db.pool.holders() == ()


async def test_a_setting_of_every_session_is_refused_when_the_handle_opens(open_db: Any, pooled: Url) -> None:
    with pytest.raises(ConfigError, match="statement_timeout"):
        await open_db(pooled, pool=PoolConfig(statement_timeout=timedelta(seconds=1)))


async def test_a_pooler_may_be_said_not_to_be_one(open_db: Any, url: Url) -> None:
    db = await open_db(url, pool=PoolConfig(pooler="transaction"))
    assert (db.pool.driver.is_pooled, await db.repository(Post).get(uuid4())) == (True, None)
    db = await open_db(url, pool=PoolConfig(pooler="none"))
    assert not db.pool.driver.is_pooled
