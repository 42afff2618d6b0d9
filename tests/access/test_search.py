"""Full-text search through the design's index, and hand-written SQL; values never become SQL."""

import random
import string
from typing import Any

import msgspec
import pytest

from pgkeel.access import StatementFailed, select_statements
from pgkeel.access._drivers.asyncpg_driver import AsyncpgDriver
from pgkeel.access.shape import shape_of
from pgkeel.access.statements import Statements
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Post, User


async def author_of(db: Any) -> Any:
    return await db.repository(User).insert(email="a@b.c", password_hash="!")


@pytest.mark.majors
async def test_the_best_match_comes_first_and_hidden_rows_do_not(db: Any) -> None:
    author, posts = await author_of(db), db.repository(Post)
    once = await posts.insert(user_id=author, title="Cooking", content="a quantum of salt")
    often = await posts.insert(user_id=author, title="Quantum computing", content="quantum gates, quantum errors")
    gone = await posts.insert(user_id=author, title="Quantum", content="quantum quantum quantum")
    await posts.soft_delete(gone)
    assert [row.id for row in await posts.search("quantum")] == [often, once]
    assert [row.id for row in await posts.search("quantum -computing")] == [once]
    assert [row.id for row in await posts.search('"quantum gate"')] == [often]
    assert await posts.search("'; DROP TABLE posts; --") == []


async def test_a_model_without_the_index_has_no_search(db: Any) -> None:
    with pytest.raises(UsageError, match="full-text"):
        await db.repository(User).search("x")


@pytest.mark.majors
def test_the_search_uses_the_designs_index(url: Url) -> None:
    query, values = select_statements.search(
        Statements(shape_of(Post), AsyncpgDriver(url).dialect), "quantum", 10, [], with_deleted=False
    )
    with connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute(f"PREPARE search AS {query.sql}")
        text = ", ".join(f"'{value}'" for value in values)
        plan = connection.execute(f"EXPLAIN EXECUTE search({text})").fetchall()
    assert "idx_posts_search" in str(plan)


async def test_hand_written_sql_fills_structs_dicts_and_plain_values(db: Any) -> None:
    class Line(msgspec.Struct, frozen=True):
        number: int
        word: str

    text = "SELECT 'w' || n AS word, n AS number FROM generate_series(1, %(most)s::int) AS n ORDER BY n"
    assert await db.sql(text, into=Line, most=2) == [Line(1, "w1"), Line(2, "w2")]
    assert await db.sql("SELECT 1 AS a, '%%' AS b") == [{"a": 1, "b": "%"}]
    assert await db.sql("SELECT %(given)s::jsonb AS v", into=dict, given={"a": [1]}) == [{"v": {"a": [1]}}]
    assert await db.sql("SELECT count(*) FROM users", into=int) == [0]
    with pytest.raises(UsageError, match="word"):
        await db.sql("SELECT 1 AS number, 'x' AS words", into=Line)
    with pytest.raises(UsageError, match="most"):
        await db.sql(text)
    with pytest.raises(StatementFailed, match="nowhere"):
        await db.sql("SELECT * FROM nowhere")


async def test_what_a_statement_leaves_in_the_session_is_wiped(db: Any) -> None:
    await db.sql("SET work_mem = '77MB'")
    await db.sql("SELECT pg_advisory_lock(4711)")
    for _ in range(4):
        assert await db.sql("SHOW work_mem", into=str) != ["77MB"]
    assert await db.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", into=int) == [0]
    assert await db.sql("SHOW timezone", into=str) == ["UTC"]


async def test_a_thousand_hostile_texts_stay_values(db: Any) -> None:
    author, posts = await author_of(db), db.repository(Post)
    order = random.Random(11)
    parts = [
        "'",
        '"',
        ";",
        "--",
        "/*",
        "*/",
        "\\",
        "$1",
        "$$",
        "%s",
        "%(x)s",
        "{}",
        ":x",
        "\n",
        "\t",
        "\x01",
        "é",
        "😀",
        "\u202e",
    ]
    parts += ["DROP TABLE posts", "' OR 1=1", "\\.", "\\N", "NULL", "E'\\''", *string.punctuation]
    texts = ["x" + "".join(order.choices(parts, k=order.randint(1, 12))) for _ in range(1000)]
    await posts.insert_many([{"user_id": author, "title": text[:255], "content": text} for text in texts[:500]])
    for text in texts[500:520]:
        await posts.insert(user_id=author, title=text[:255], content=text)
    keys = await posts.insert_many_returning({"user_id": author, "title": text[:255], "content": text} for text in texts[520:])
    assert len(keys) == 480
    stored = await posts.filter(Post.content.in_(texts))
    assert sorted(row.content for row in stored) == sorted(texts)
    for text in order.sample(texts, 40):
        assert await posts.count(Post.content == text) == texts.count(text)
        assert text in await db.sql("SELECT %(text)s::text", into=str, text=text)
        await posts.search(text)
    assert await posts.count() == 1000
