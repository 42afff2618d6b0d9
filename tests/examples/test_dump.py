"""Reading a data dump: rows as a stream, and every way it can be broken."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.stackexchange.dump import BrokenDump, Row, find_file, read_rows
from examples.stackexchange.sample import write_sample

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def rows_of(folder: Path, text: str | bytes, name: str = "Users.xml") -> list[Row]:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_rows(file))


def refusal(folder: Path, text: str | bytes, name: str = "Users.xml") -> str:
    with pytest.raises(BrokenDump) as caught:
        rows_of(folder, text, name)
    assert caught.value.hint
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_is_read_plain_or_zipped_with_its_byte_order_mark(tmp_path: Path, *, zipped: bool) -> None:
    counts = write_sample(tmp_path, zipped=zipped)
    rows = list(read_rows(find_file(tmp_path, "Users")))
    assert len(rows) == counts.users - 1
    assert (rows[0].id, rows[1].line) == (-1, 4)


def test_html_and_line_ends_are_kept_verbatim(tmp_path: Path) -> None:
    text = HEAD + '<posts><row Id="1" Body="&lt;p&gt;a &amp;amp; b&lt;/p&gt;&#xD;&#xA;" /></posts>'
    (row,) = rows_of(tmp_path, text, "Posts.xml")
    assert row.text("Body") == "<p>a &amp; b</p>\r\n"


def test_a_date_without_a_zone_is_utc(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, '<users><row Id="1" CreationDate="2018-03-09T18:48:09.477" /></users>')
    assert row.moment("CreationDate") == datetime(2018, 3, 9, 18, 48, 9, 477000, tzinfo=UTC)


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    body = "x" * 1000
    text = "<posts>" + "".join(f'<row Id="{number}" Body="{body}" />' for number in range(3000)) + "</posts>"
    stream = read_rows(_written(tmp_path / "Posts.xml", text[:2_000_000]))
    assert next(stream).id == 0  # the end, which is missing, has not been read yet
    with pytest.raises(BrokenDump, match=r"Posts\.xml, line 1, after row Id \d{4}: not well-formed"):
        list(stream)


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenDump, match=r"has neither Votes\.xml nor Votes\.xml\.gz"):
        find_file(tmp_path, "Votes")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<users>\n<row Id="1" />\n<row Id=2 />\n</users>', "Users.xml, line 3, after row Id 1: not well-formed XML"),
        ('<users>\n<row Id="1" />\n', "Users.xml, line 3, after row Id 1: not well-formed XML: no element found"),
        ("", "Users.xml, line 1, after the beginning: not well-formed XML"),
        ("<html><body/></html>", "begins with <html>, not with <users>"),
        ('<users><table Id="1"/></users>', "<table> has no place here"),
        ('<users><row Id="1"><row Id="2"/></row></users>', "<row> has no place here"),
        ('<users>\n<row Id="1" />\n<row Id="1" /></users>', "Users.xml, line 3 (row Id 1): this Id occurs twice"),
        ("<users><row Name='x' /></users>", "Users.xml, line 1 (row Id ?): there is no Id"),
        ("<users><row Id='one' /></users>", "Id is 'one', not a number"),
        (b"<users><row Id='1' Name='\xff\xfe' /></users>", "not well-formed XML"),
    ],
)
def test_what_is_broken_is_named_with_file_and_row(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE users [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE users [<!ENTITY secret SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE users SYSTEM "http://attacker.example/users.dtd">',
    ],
)
def test_entities_and_document_types_are_refused(tmp_path: Path, document_type: str) -> None:
    assert "are refused" in refusal(tmp_path, f'{document_type}<users><row Id="1" Name="&b;&secret;" /></users>')


def test_a_zipped_file_that_is_cut_or_not_zipped_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"<users>" + b'<row Id="1" />' * 2000 + b"</users>")
    assert "Users.xml.gz cannot be unpacked" in refusal(tmp_path, whole[: len(whole) // 2], "Users.xml.gz")
    assert "Users.xml.gz cannot be unpacked" in refusal(tmp_path, b"<users></users>", "Users.xml.gz")


def test_a_value_of_the_wrong_kind_names_its_row(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, '<users>\n<row Id="7" Score="many" CreationDate="yesterday" /></users>')
    with pytest.raises(BrokenDump, match=r"Users\.xml, line 2 \(row Id 7\): Score is 'many', not a number"):
        row.number("Score")
    with pytest.raises(BrokenDump, match="CreationDate is 'yesterday', not a time"):
        row.moment("CreationDate")
    with pytest.raises(BrokenDump, match="there is no Name"):
        row.required("Name")
