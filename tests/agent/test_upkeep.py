"""What the agent does to a project's own data: soft-deleted rows go when their time is over, materialised views are refreshed."""

from datetime import timedelta
from importlib import resources
from pathlib import Path

from pgkeel.access.purging import soft_deleted_models
from pgkeel.access.sync import Database
from pgkeel.agent.jobs import forget_once, refresh_views
from pgkeel.agent.jobs.purge_deleted import purge_job
from pgkeel.agent.reach import Connector
from pgkeel.core.config import AgentConfig, Config, RetentionConfig
from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.postgres import Connection
from pgkeel.schema.building import create_all
from pgkeel.schema.models import Base, Post, User
from pgkeel.stack.upkeep import upkeep_jobs
from pgkeel.testing.keys import ring_for_tests
from tests.access.people import user_fields
from tests.agent.conftest import until, working
from tests.agent.test_agent import seen

OUTBOX, ONCE = "20240101000100_create_outbox.sql", "20240101000400_outbox_delivery.sql"
LEDGER = "20240101000300_cache_ledger.sql"


def test_rows_that_were_hidden_long_enough_are_purged(
    connector: Connector, agent_db: Url, db: Connection, tmp_path: Path
) -> None:
    create_all(Base, db)
    db.execute(resources.files("pgkeel.postgres").joinpath("migrations", LEDGER).read_bytes().partition(b"-- Down Migration")[0])
    with Database(agent_db, keys=ring_for_tests()) as database:
        users = database.repository(User)
        keys = [users.insert(**user_fields(f"u{day}")) for day in range(1, 6)]
        database.repository(Post).insert(user_id=keys[4], title="t", content="c")
        users.soft_delete_many(keys)
    for day, key in enumerate(keys, start=1):
        db.execute(
            "UPDATE users SET deleted_at = now() - %(day)s * interval '1 day' WHERE id = %(key)s", {"day": day, "key": key}
        )
    job = purge_job(lambda: soft_deleted_models(Base), timedelta(days=2, hours=12))

    with working(connector, tmp_path, [job]):
        until(lambda: seen(tmp_path, "purge_deleted").last_outcome == "ok")

    assert seen(tmp_path, "purge_deleted").last_result == {"comments": 0, "posts": 0, "users": 3}
    left = db.execute("SELECT id, version FROM users ORDER BY deleted_at").fetchall()
    assert [row["id"] for row in left] == [keys[4], keys[1], keys[0]]
    assert left[0]["version"] > left[1]["version"]
    assert db.execute("SELECT relation FROM pgkeel.cache_generation").fetchall() == [{"relation": "*"}]  # caches forget them


def test_idempotency_keys_are_forgotten_when_nobody_repeats_them_any_more(
    connector: Connector, agent_db: Url, db: Connection, tmp_path: Path
) -> None:
    db.execute(resources.files("pgkeel.postgres").joinpath("migrations", OUTBOX).read_bytes().partition(b"-- Down Migration")[0])
    db.execute(resources.files("pgkeel.postgres").joinpath("migrations", ONCE).read_bytes().partition(b"-- Down Migration")[0])
    ran: list[str] = []

    def charge() -> int:
        ran.append("charged")
        return len(ran)

    def pay(database: Database, key: str) -> int:
        with database.transaction() as tx:
            return tx.once(key, charge, into=int)

    with Database(agent_db) as database:
        assert [pay(database, key) for key in ("old", "new", "old", "new")] == [1, 2, 1, 2]
        db.execute("UPDATE pgkeel.once SET created_at = now() - interval '8 days' WHERE key = sha256('old')")
        db.execute(
            "INSERT INTO pgkeel.once (key, created_at)"
            " SELECT sha256(n::text::bytea), now() - interval '9 days' FROM generate_series(1, 5001) n"
        )
        with working(connector, tmp_path, [forget_once.JOB]):
            until(lambda: seen(tmp_path, "forget_once").last_outcome == "ok")
        assert seen(tmp_path, "forget_once").last_result == {"forgotten": 5002}
        assert [pay(database, key) for key in ("old", "new")] == [3, 2]


def test_a_database_that_keeps_no_idempotency_keys_has_none_to_forget(connector: Connector, tmp_path: Path) -> None:
    with working(connector, tmp_path, [forget_once.JOB]):
        until(lambda: seen(tmp_path, "forget_once").last_outcome == "ok")
    assert seen(tmp_path, "forget_once").last_result == {"forgotten": 0}


def test_nothing_is_purged_unless_the_project_says_when(tmp_path: Path) -> None:
    def jobs(config: Config) -> list[str]:
        return [job.name for job in upkeep_jobs(Project(root=tmp_path, config=config, origins={}))]

    assert jobs(Config()) == []
    assert jobs(Config(retention=RetentionConfig(deleted=timedelta(days=90)))) == ["purge_deleted"]


def test_materialised_views_are_refreshed_and_a_missing_one_stops_nothing(
    connector: Connector, db: Connection, tmp_path: Path
) -> None:
    db.execute("CREATE TABLE sales (day int)")
    for name in ("plain", '"With index"'):
        db.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT day, count(*) AS n FROM sales GROUP BY day".encode())
    db.execute('CREATE UNIQUE INDEX by_day ON "With index" (day)')
    db.execute("INSERT INTO sales VALUES (1)")
    settings = AgentConfig(refresh=("plain", "nowhere", "sales", '"With index"'))

    with working(connector, tmp_path, [refresh_views.JOB], settings=settings):
        until(lambda: seen(tmp_path, "refresh_views").last_outcome == "ok")

    outcome = {"plain": "alone", "nowhere": "missing", "sales": "missing", '"With index"': "concurrently"}
    assert seen(tmp_path, "refresh_views").last_result == {"views": outcome}
    assert [db.execute(f"SELECT n FROM {name}".encode()).fetchone() for name in ("plain", '"With index"')] == [{"n": 1}, {"n": 1}]
