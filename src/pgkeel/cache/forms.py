"""What a write of one row of a table says, written down but for the row and the writer: most writes say no more."""

import msgspec

__all__ = ["ANSWERS", "BEGUN", "ENDED", "Forms", "forms_of"]

ANSWERS = 3
"""How many answers the first gets."""
BEGUN = frozenset({b":1\r\n:0\r\n+OK\r\n", b":1\r\n:1\r\n+OK\r\n"})
"""What they are: a mark is new, whether or not the row lay there."""
ENDED = b":1\r\n"
"""The answer to the last: the mark was there."""
_BEGIN = (
    b"*4\r\n$4\r\nHSET\r\n$%d\r\n%b!\r\n$16\r\n%%b\r\n$17\r\n-%%b\r\n"
    b"*2\r\n$3\r\nDEL\r\n$%d\r\n%%b\r\n*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$17\r\nG%%b\r\n"
)
_END = b"*3\r\n$4\r\nHDEL\r\n$%d\r\n%b!\r\n$16\r\n%%b\r\n"


class Forms(msgspec.Struct, frozen=True):
    """The commands of `pgkeel.cache.announcing` for one row.

    Attributes:
        tag: Name of the table's tag.
        begin: Before COMMIT; lacks who writes, the end of the row's name, that name, and a version: who writes once more.
        end: After it; lacks who writes. Only the mark goes, and the answer is 1 where it was there: then nothing has slipped in.
    """

    tag: bytes
    begin: bytes
    end: bytes


def forms_of(tag: bytes) -> Forms:
    """Return the forms of a table; names of rows are as long as that of its tag."""
    size, name = len(tag), tag.replace(b"%", b"%%")
    begin = _BEGIN % (size + 1, name, size, size, name)
    return Forms(tag, begin, _END % (size + 1, name))
