"""What is said of one row is written down beforehand; it must be what is said of several, but for what an intact mark spares."""

import hiredis

from pgkeel.cache.announcing import Said, commands_of
from pgkeel.cache.forms import ANSWERS, BEGUN, ENDED, forms_of
from pgkeel.cache.names import DIGEST, Names
from pgkeel.cache.touched import RowKeys
from pgkeel.cache.wire import packed
from pgkeel.core.secret import Secret
from pgkeel.local import Valkey

WHO = b"0123456789abcdef"
TAGS = [b"{pgkeel}:%d%b%%%s0123456%", b"{pgkeel}:\r\n$1\r\nabcdefghi"]


def test_the_form_of_one_row_says_what_is_said_of_several_whatever_bytes_its_name_has() -> None:
    names = Names("pgkeel", Secret("a secret of sixteen"))
    for tag in (*TAGS, names.table("posts")):
        row = tag[:-2] + b"%%"
        keys = RowKeys(row, forms_of(tag))
        begin, end = (commands_of([Said(keys, WHO, is_over)]) for is_over in (False, True))
        assert len(begin) == ANSWERS
        said = keys.forms.begin % (WHO, keys.tags[tag], row, WHO)
        assert said == as_bytes([begin[0], begin[1], ("SET", tag, b"G" + WHO)])
        assert keys.forms.end % WHO == as_bytes([end[-1]])


def test_the_server_answers_as_who_looks_at_the_bytes_alone_expects(valkey_server: Valkey) -> None:
    row = b"{answers}:of the row"
    forms = forms_of(b"{answers}:of the tag")
    for lies_there in (False, True):
        if lies_there:
            valkey_server.ask("SET", row.decode(), "a value")
        assert answers(valkey_server, forms.begin % (WHO, row[-DIGEST:], row, WHO)) in BEGUN
        assert answers(valkey_server, forms.end % WHO) == ENDED
    assert answers(valkey_server, forms.end % WHO) != ENDED, "a mark that was gone passes for one that was there"


def answers(server: Valkey, said: bytes) -> bytes:
    reader = hiredis.Reader(notEnoughData=None)
    reader.feed(said)
    return b"".join(server.ask(*[word.decode() for word in words]) for words in iter(reader.gets, None))


def as_bytes(commands: list[tuple[object, ...]]) -> bytes:
    return b"".join(map(packed, commands))


def test_names_of_rows_are_as_long_as_those_of_tables() -> None:
    names = Names("a namespace", Secret("a secret of sixteen"))
    assert {len(names.rows("posts")(key)) for key in (1, "a key that is longer", ("of", "two"))} == {len(names.table("posts"))}
