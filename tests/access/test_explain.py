"""Plans as trees, what is wrong with them in words, and nothing kept of what they ran."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from pgkeel.access import NotFound, ReadOnly, StatementFailed
from pgkeel.access.explain import Explained, explain, explain_stat, read_plan
from pgkeel.core import errors
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post, User

MANY = """
CREATE TABLE many AS SELECT n AS id, n % 1000 AS part, 'secret ' || n AS title FROM generate_series(1, 20000) n;
CREATE INDEX idx_many_id ON many (id);
ANALYZE many
"""


@pytest.fixture
def many(url: Url) -> Url:
    with connect(url) as connection:
        connection.execute(MANY.encode())
    return url


@pytest.mark.majors
async def test_a_statement_of_any_kind_is_explained(db: Any) -> None:
    plan = await db.explain(select(Post).where(Post.id == uuid4(), Post.status.in_(["draft", "published"])))
    assert [node.index for node in plan.plan.walk() if node.index] == ["posts_pkey"]
    assert plan.execution is None
    ran = await db.explain("SELECT * FROM posts WHERE id = %(id)s", analyze=True, id=uuid4())
    assert (ran.plan.rows, ran.flags) == (0, ())
    assert ran.execution is not None
    assert str(ran).splitlines()[0].startswith("Index Scan on posts by posts_pkey (id = ")


async def test_values_are_not_repeated(db: Any) -> None:
    shown = str(await db.explain(select(User).where(User.email == "secret@example.org")))
    assert "secret@example.org" not in shown
    assert "…" in shown


async def test_a_write_is_run_only_when_asked_for_and_undone(db: Any) -> None:
    author = await db.repository(User).insert(email="a@b.c", password_hash="!")
    write = update(User).values(username="changed").where(User.id == author)
    assert (await db.explain(write)).plan.kind == "Update"
    with pytest.raises(ReadOnly) as caught:
        await db.explain(write, analyze=True)
    assert "rollback" in caught.value.hint
    ran = await db.explain(write, analyze="rollback")
    assert (ran.plan.kind, ran.execution is not None) == ("Update", True)
    assert (await db.repository(User).get(author)).username is None
    with pytest.raises(UsageError):
        await db.explain(write, analyze="yes")
    with pytest.raises(StatementFailed):
        await db.explain("SELECT * FROM nowhere")
    assert db.pool.holders() == ()


def test_a_scan_that_throws_most_rows_away_is_flagged(many: Url) -> None:
    with connect(many) as connection:
        found = explain(connection, "SELECT * FROM many WHERE part = 7;", analyze=True)
    assert found.flags == ("reads 20,000 rows of many to keep 20: an index for (part = …) would spare that",)
    assert str(found).splitlines()[-1].startswith("! reads 20,000 rows")


def test_an_offset_and_a_sort_on_disk_are_flagged(many: Url) -> None:
    with connect(many) as connection:
        connection.execute("SET work_mem = '64kB'")
        connection.execute("SET max_parallel_workers_per_gather = 0")
        pages = explain(connection, "SELECT * FROM many ORDER BY id LIMIT 10 OFFSET 15000", analyze=True)
        sorts = explain(connection, "SELECT * FROM many ORDER BY title", analyze=True)
    assert any("OFFSET throws the others away" in flag for flag in pages.flags)
    assert any("MiB on disk" in flag and "title" in flag for flag in sorts.flags)


def test_an_estimate_that_is_far_off_is_flagged(many: Url) -> None:
    with connect(many) as connection:
        connection.execute("CREATE TABLE odd (a int, b int) WITH (autovacuum_enabled = false)")
        connection.execute("INSERT INTO odd SELECT 1, 1 FROM generate_series(1, 10)")
        connection.execute("ANALYZE odd")
        connection.execute("INSERT INTO odd SELECT n % 2, n % 2 FROM generate_series(1, 8000) n")
        found = explain(connection, "SELECT * FROM odd WHERE a = 0 AND b = 0", analyze=True)
    assert any("ANALYZE odd" in flag for flag in found.flags)


def test_only_one_statement_is_ever_run(many: Url) -> None:
    with connect(many) as connection:
        for text in ("SELECT 1; COMMIT; DROP TABLE many", "COMMIT", "", ";"):
            with pytest.raises((UsageError, StatementFailed)):
                explain(connection, text, analyze="rollback")
        assert connection.execute("SELECT count(*) AS n FROM many").fetchone() == {"n": 20000}


def test_a_function_that_writes_is_undone(many: Url) -> None:
    with connect(many) as connection:
        connection.execute("CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM many'")
        with pytest.raises(ReadOnly):
            explain(connection, "SELECT wipe()", analyze=True)
        explain(connection, "SELECT wipe()", analyze="rollback")
        assert connection.execute("SELECT count(*) AS n FROM many").fetchone() == {"n": 20000}


def test_without_pg_stat_statements_it_says_so(many: Url) -> None:
    with connect(many) as connection, pytest.raises((NotFound, errors.NotFound), match="not installed"):
        explain_stat(connection, 1)


@pytest.mark.majors
def test_a_statement_that_the_server_has_seen_is_explained_whatever_its_values(many: Url) -> None:
    with connect(many) as connection:
        if "pg_stat_statements" not in connection.execute("SHOW shared_preload_libraries").fetchone()["shared_preload_libraries"]:  # type: ignore[index]
            pytest.skip("this server does not load pg_stat_statements")
        connection.execute('CREATE SCHEMA "Stats"')
        connection.execute('CREATE EXTENSION pg_stat_statements SCHEMA "Stats"')
        connection.execute("SELECT title FROM many WHERE id = 17")
        seen = connection.execute(
            'SELECT queryid FROM "Stats".pg_stat_statements WHERE query LIKE %(text)s AND dbid = (SELECT oid FROM pg_database'
            " WHERE datname = current_database())",
            {"text": "SELECT title FROM many WHERE id = %"},
        ).fetchone()
        assert seen is not None
        if connection.info.server_version < 160000:
            with pytest.raises(UsageError, match="PostgreSQL 15"):
                explain_stat(connection, seen["queryid"])
        else:
            assert explain_stat(connection, seen["queryid"]).plan.index == "idx_many_id"
        with pytest.raises((NotFound, errors.NotFound), match="knows no statement 1"):
            explain_stat(connection, 1)


def test_a_plan_of_the_server_is_read_whole() -> None:
    answer = """[{"Plan": {"Node Type": "Nested Loop", "Plan Rows": 5, "Actual Rows": 5, "Actual Loops": 1,
      "Actual Total Time": 9.5,
      "Plans": [{"Node Type": "Index Only Scan", "Relation Name": "a", "Index Name": "i", "Plan Rows": 2000, "Actual Rows": 2000,
                 "Actual Loops": 1, "Actual Total Time": 1.0, "Heap Fetches": 1900},
                {"Node Type": "Seq Scan", "Relation Name": "b", "Filter": "(x = 'it''s 5')", "Plan Rows": 1, "Actual Rows": 0.01,
                 "Actual Loops": 500, "Actual Total Time": 0.5, "Rows Removed by Filter": 100},
                {"Node Type": "Hash", "Hash Batches": 4, "Plan Rows": 1, "Actual Rows": 0, "Actual Loops": 0,
                 "Actual Total Time": 0.0}]},
      "Planning Time": 0.2, "Execution Time": 100.0, "Triggers": [{"Trigger Name": "audit", "Time": 80.0}],
      "Settings": {"work_mem": "64kB"}}]"""
    found = read_plan(answer)
    assert isinstance(found, Explained)
    assert found.settings == {"work_mem": "64kB"}
    assert [flag.split(":")[0] for flag in found.flags] == [
        "reads b 500 times",
        "i alone would do, but 1,900 rows had to be looked at in a",
        "reads 50,005 rows of b to keep 5",
        "a hash is split into 4 parts on disk",
        "the trigger audit takes 80 of 100 ms",
    ]
    assert "never run" in str(found)
    assert "(x = …)" in str(found)
