"""The lexer sees what PostgreSQL's scanner sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.migrations.lexer import LexError, TokenKind, tokens
from pgkeel.migrations.statement import split
from pgkeel.postgres import Connection

# each text is one statement to the server, however many semicolons and quotes it holds
NASTY = [
    "SELECT 'a;b', 'it''s; fine', ''",
    r"SELECT E'a\';b', E'\\', e'x''y;'",
    r"SELECT 'a\', 1",
    'SELECT U&\'d\\0061t;a\', u&"d\\0061ta;" FROM (SELECT 1 AS data_) AS t ("data;")',
    "SELECT B'101', X'1FF', N'n;', b'0'",
    "SELECT $$a;'\"$$, $t$;$$;$u$;$t$, $Täg$;$Täg$",
    "SELECT $a$ $b$ ; $a$",
    "SELECT 1 /* ; /* ; */ ' */ + 2",
    "SELECT 1 -- ; '\n + 2",
    "SELECT 'a' \n -- between ; the two\n 'b;c'",
    "SELECT E'a\\''\n'b\\';c'",
    'SELECT 1 AS "a;""b", 2 AS "--x"',
    "SELECT 1 AS a$b, 2 AS c$$",
    "SELECT 2*-1, 1-/* ; */-1, 3 - -1",
    "SELECT 1.5e-3, .5, 0x1F, 1_000, 5.::int",
    "SELECT (ARRAY[1,2,3])[1:2], 'x'::text",
    "DO $$ BEGIN PERFORM 1; /* ' */ PERFORM 2; END $$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; SELECT 3; END",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
    "SELECT 1 AS größe, 2 AS 中文",
    "SELECT '-- Down Migration\n', $$\n-- Down Migration\n$$",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_statement_is_one_statement(text: str) -> None:
    statements = [statement.text for statement in split(f"  {text} ;\n/* end */ ; ;", 0, len(text) + 20)]

    assert statements == [text]


@pytest.mark.majors
def test_the_server_counts_the_same_statements(connection: Connection, major: str) -> None:
    connection.execute("CREATE TABLE t (a int)")
    texts = [text for text in NASTY if int(major) >= 16 or "0x1F" not in text]
    message = ";\n".join(texts)
    connection.pgconn.send_query(message.encode())
    results = []
    while (result := connection.pgconn.get_result()) is not None:
        assert not result.error_message, result.error_message.decode()
        results.append(result)

    assert len(results) == len(list(split(message, 0, len(message))))


@given(st.text(alphabet="abEeUuxBnN&$1_ \n\t'\"\\;-*/().:ä中é", max_size=60))
def test_no_character_is_lost_or_moved(text: str) -> None:
    try:
        found = list(tokens(text))
    except LexError as err:
        text = text[: err.offset]
        found = list(tokens(text))

    assert "".join(token.text for token in found) == text
    assert [token.start for token in found] == [sum(len(t.text) for t in found[:i]) for i in range(len(found))]


@given(st.lists(st.sampled_from(NASTY), max_size=6), st.sampled_from([";", " ; ", ";\n-- c ; '\n", "; /* ; */"]))
def test_splitting_gives_back_what_was_joined(parts: list[str], separator: str) -> None:
    text = separator.join(parts)

    assert [statement.text for statement in split(text, 0, len(text))] == parts


@pytest.mark.parametrize(
    ("text", "offset"),
    [("SELECT 'a", 7), ("SELECT $x$ $y$", 7), ("/* /* */", 0), ('SELECT "a', 7), ("SELECT E'a\\'", 7)],
)
def test_what_is_never_closed_is_named_with_its_place(text: str, offset: int) -> None:
    with pytest.raises(LexError) as caught:
        list(tokens(text))

    assert caught.value.offset == offset


def test_a_word_may_hold_a_dollar_and_a_number_may_not_start_a_quote() -> None:
    kinds = [token.kind for token in tokens("a$1 1$$;$$")]

    assert kinds == [TokenKind.WORD, TokenKind.SPACE, TokenKind.NUMBER, TokenKind.DOLLAR_STRING]
