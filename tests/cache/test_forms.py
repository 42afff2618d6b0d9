"""What is said of one row is written down beforehand; it must be what is said of several, but for what an intact mark spares."""

from pgkeel.cache.announcing import Said, commands_of
from pgkeel.cache.forms import ANSWERS, forms_of
from pgkeel.cache.names import Names
from pgkeel.cache.touched import RowKeys, Touched, keys_of
from pgkeel.cache.wire import packed
from pgkeel.core.secret import Secret

WHO = b"0123456789abcdef"
TAGS = [b"{pgkeel}:%d%b%%%s0123456%", b"{pgkeel}:\r\n$1\r\nabcdefghi"]


def test_the_form_of_one_row_says_what_is_said_of_several_whatever_bytes_its_name_has() -> None:
    names = Names("pgkeel", Secret("a secret of sixteen"))
    for tag in (*TAGS, names.table("posts")):
        row = tag[:-2] + b"%%"
        keys = keys_of([Touched("posts", row=row, alone=RowKeys(row, forms_of(tag)))], names)
        assert isinstance(keys, RowKeys)
        begin, end = (commands_of([Said(keys, WHO, is_over)]) for is_over in (False, True))
        assert len(begin) == ANSWERS
        said = keys.forms.begin % (WHO, keys.tags[tag], row, WHO)
        assert said == as_bytes([begin[0], begin[1], ("SET", tag, b"G" + WHO)])
        assert keys.forms.end % WHO == as_bytes([end[-1]])


def as_bytes(commands: list[tuple[object, ...]]) -> bytes:
    return b"".join(map(packed, commands))


def test_names_of_rows_are_as_long_as_those_of_tables() -> None:
    names = Names("a namespace", Secret("a secret of sixteen"))
    assert {len(names.rows("posts")(key)) for key in (1, "a key that is longer", ("of", "two"))} == {len(names.table("posts"))}
