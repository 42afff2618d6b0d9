"""What the agent does to a project's own data: soft-deleted rows go when their time is over, materialised views are refreshed."""

from datetime import timedelta
from pathlib import Path

from pgkeel.access.purging import soft_deleted_models
from pgkeel.agent.jobs import refresh_views
from pgkeel.agent.jobs.purge_deleted import purge_job
from pgkeel.agent.reach import Connector
from pgkeel.core.config import AgentConfig, Config, RetentionConfig
from pgkeel.core.project import Project
from pgkeel.postgres import Connection
from pgkeel.schema.building import create_all
from pgkeel.schema.models import Base
from pgkeel.stack.upkeep import upkeep_jobs
from tests.agent.conftest import until, working
from tests.agent.test_agent import seen


def test_rows_that_were_hidden_long_enough_are_purged(connector: Connector, db: Connection, tmp_path: Path) -> None:
    create_all(Base, db)
    db.execute(
        "INSERT INTO users (email, password_hash, deleted_at, status)"
        " SELECT 'u' || n || '@example.org', '!', now() - n * interval '1 day', 'deleted' FROM generate_series(1, 5) n"
    )
    db.execute("INSERT INTO posts (user_id, title, content) SELECT id, 't', 'c' FROM users WHERE email = 'u5@example.org'")
    job = purge_job(lambda: soft_deleted_models(Base), timedelta(days=2, hours=12))

    with working(connector, tmp_path, [job]):
        until(lambda: seen(tmp_path, "purge_deleted").last_outcome == "ok")

    assert seen(tmp_path, "purge_deleted").last_result == {"comments": 0, "posts": 0, "users": 3}
    left = db.execute("SELECT email FROM users ORDER BY deleted_at").fetchall()
    assert [row["email"].partition("+")[0] for row in left] == ["deleted", "u2@example.org", "u1@example.org"]


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
