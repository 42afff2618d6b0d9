"""Full-text search through the design's index, and hand-written SQL; values never become SQL."""

import random
import string
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel.access import StatementFailed, search_statements
from pgkeel.access._drivers.asyncpg_driver import AsyncpgDriver
from pgkeel.access.index_check import MissingIndex
from pgkeel.access.shape import shape_of
from pgkeel.access.statements import Statements
from pgkeel.core.errors import UsageError
from pgkeel.core.strict import set_strict
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.building import create_all
from pgkeel.schema.models import Post, User
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.search import Search
from tests.access.people import new_user


async def author_of(db: Any) -> Any:
    return await new_user(db)


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
@pytest.mark.parametrize("kind", [search_statements.search, search_statements.hits])
def test_the_search_uses_the_designs_index(url: Url, kind: Any) -> None:
    statements = Statements(shape_of(Post), AsyncpgDriver(url).dialect)
    wanted, name = search_statements.declared(statements.shape, None)
    query, values = kind(statements, wanted, "quantum", 10, [], prefix=False, with_deleted=False)
    with connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute(f"PREPARE search AS {query.sql}")
        text = ", ".join(
            connection.execute("SELECT quote_literal(%(v)s::text) AS q", {"v": v}).fetchall()[0]["q"] for v in query.bind(values)
        )
        plan = connection.execute(f"EXPLAIN EXECUTE search({text})").fetchall()
    assert name == "idx_posts_search"
    assert name in str(plan)


@pytest.mark.majors
async def test_hits_show_the_words_marked_and_everything_else_escaped(db: Any) -> None:
    author, posts = await author_of(db), db.repository(Post)
    await posts.insert(user_id=author, title="Salt", content="<script>alert(1)</script> a quantum of salt & pepper")
    (hit,) = await posts.search_hits("quantum")
    assert hit.row.title == "Salt"
    assert hit.rank > 0
    assert "<mark>quantum</mark>" in hit.headline
    assert "<script>" not in hit.headline
    assert "&amp;" in hit.headline


async def test_the_last_word_may_have_just_begun(db: Any) -> None:
    author, posts = await author_of(db), db.repository(Post)
    key = await posts.insert(user_id=author, title="Quantum computing", content="c")
    assert [row.id for row in await posts.search("quantum comp", prefix=True)] == [key]
    assert [hit.row.id for hit in await posts.search_hits("qua", prefix=True)] == [key]
    for nothing in ("", "  ", "& | !", "zzz'); DROP TABLE posts; --", "comp quan", "quantum:* & !x"):
        assert await posts.search(nothing, prefix=True) == []


async def test_a_language_that_is_not_declared_is_refused(db: Any) -> None:
    with pytest.raises(UsageError, match="german"):
        await db.repository(Post).search("x", language="german")


class OtherBase(DeclarativeBase):
    metadata = new_metadata()


class Article(OtherBase):
    __tablename__ = "articles"
    __search__ = (Search(("title", "body"), "english"), Search(("title", "body"), "german"))
    if TYPE_CHECKING:
        __row__: ClassVar[type[Any]]

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str | None]


async def test_each_language_that_a_model_declares_has_its_own_index(db: Any, url: Url) -> None:
    with connect(url) as connection:
        create_all(OtherBase, connection)
        lines = [row["indexdef"] for row in connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'articles'")]
    assert {line.split()[2] for line in lines if "to_tsvector" in line} == {"idx_articles_search", "idx_articles_search_german"}
    articles = db.repository(Article)
    key = await articles.insert(id=1, title="Die Häuser am See", body=None)
    assert await articles.search("haus") == []
    assert [row.id for row in await articles.search("haus", language="german")] == [key]
    (hit,) = await articles.search_hits("häuser", language="german")
    assert "<mark>Häuser</mark>" in hit.headline


def test_a_search_that_cannot_be_is_refused_where_it_is_declared() -> None:
    for columns, language in (((), "english"), ("title", "english"), (("title",), "english'); DROP TABLE posts; --")):
        with pytest.raises(UsageError):
            Search(cast("Any", columns), language)


async def test_a_search_without_its_index_is_refused_in_tests_and_only_warned_about_in_production(db: Any, url: Url) -> None:
    with connect(url) as connection:
        connection.execute("DROP INDEX idx_posts_search")
    posts = db.repository(Post)
    for _ in range(2):
        with pytest.raises(MissingIndex, match="idx_posts_search") as caught:
            await posts.search("quantum")
    assert "migrate diff" in caught.value.hint
    set_strict(False)
    try:
        assert await posts.search("quantum") == []
    finally:
        set_strict(None)


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


async def test_what_a_statement_leaves_in_the_session_is_wiped(db: Any, url: Url) -> None:
    await db.sql("SET work_mem = '77MB'")
    await db.sql("SELECT pg_advisory_lock(4711)")
    for _ in range(4):
        assert await db.sql("SHOW work_mem", into=str) != ["77MB"]
    held = "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = %(name)s"
    assert await db.sql(held, into=int, name=url.database) == [0]
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
