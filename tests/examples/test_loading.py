"""Loading a dump into a real database: all or nothing, once, and readable afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.stackexchange.dump import BrokenDump
from examples.stackexchange.loading import load_dump
from examples.stackexchange.read import read_all
from examples.stackexchange.sample import Counts, write_sample
from pgkeel.access import AlreadyExists
from pgkeel.access.sync import Database
from pgkeel.postgres import connect
from pgkeel.scaling import partitions
from pgkeel.schema.models import Comment, Event, Post, Role, User, UserRole
from pgkeel.testing.databases import ScratchDatabase

ROOT = Path(__file__).resolve().parent.parent.parent
REAL = ROOT.parent / "shared/data/stackexchange/quantumcomputing"


@pytest.fixture
def database(pg_db: ScratchDatabase) -> Iterator[Database]:
    with Database(pg_db.url("app"), keys=pg_db.keys) as database:
        yield database


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    write_sample(tmp_path / "sample", zipped=False)
    return tmp_path / "sample"


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8-sig")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def counts_of(database: Database) -> dict[str, int]:
    models = (User, Post, Comment, UserRole, Event)
    return {model.__tablename__: database.repository(model).count() for model in models}


def test_every_row_of_the_sample_arrives(database: Database, tmp_path: Path) -> None:
    expected: Counts = write_sample(tmp_path)
    loaded = load_dump(database, tmp_path, site="sample")
    assert loaded.inserted == {
        "users": expected.users,
        "posts": expected.posts,
        "comments": expected.comments,
        "roles": expected.roles,
        "user_roles": expected.user_roles,
        "events": expected.votes + expected.users - 1,
    }
    assert loaded.repeated_badges == expected.repeated_badges
    assert counts_of(database)["posts"] == expected.posts


def test_a_second_load_inserts_nothing(database: Database, dump: Path) -> None:
    load_dump(database, dump)
    before = counts_of(database)
    assert set(load_dump(database, dump).inserted.values()) == {0}
    assert counts_of(database) == before


def test_what_a_later_dump_adds_is_added_alone(database: Database, dump: Path) -> None:
    load_dump(database, dump)
    replace_in(
        dump / "Votes.xml",
        "</votes>",
        '<row Id="9999" PostId="1" VoteTypeId="2" CreationDate="2018-05-01T00:00:00.000" /></votes>',
    )
    inserted = load_dump(database, dump).inserted
    assert {table: count for table, count in inserted.items() if count} == {"events": 1}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("Comments.xml", 'Text="', 'Text="" Was="', r"Comments\.xml, line 3 \(row Id 3\): comments refuses it"),
        (
            "Comments.xml",
            'PostId="',
            'PostId="77',
            r"Comments\.xml, line 3 \(row Id 3\): comments refuses it: it breaks comments_post_id_fkey",
        ),
        ("Votes.xml", 'VoteTypeId="', 'VoteTypeId="x', r"Votes\.xml, line 3 \(row Id 1\): VoteTypeId is 'x\d+', not a number"),
        ("Votes.xml", "</votes>", "", r"Votes\.xml, line \d+, after row Id 60: not well-formed XML"),
        ("Posts.xml", 'Title="', f'Title="{"t" * 300}', r"Posts\.xml, line 3 \(row Id 1\): posts refuses it"),
    ],
)
def test_a_broken_row_is_named_and_nothing_is_half_loaded(
    database: Database, dump: Path, file: str, old: str, new: str, expected: str
) -> None:
    replace_in(dump / file, old, new)
    with pytest.raises(BrokenDump, match=expected):
        load_dump(database, dump)
    assert set(counts_of(database).values()) == {0}


def test_a_missing_file_is_named_before_anything_is_read(database: Database, dump: Path) -> None:
    (dump / "Badges.xml").unlink()
    with pytest.raises(BrokenDump, match=r"neither Badges\.xml nor Badges\.xml\.gz"):
        load_dump(database, dump)


def test_a_badge_never_becomes_a_role_of_somebody_else(database: Database, dump: Path) -> None:
    roles = database.repository(Role)
    mine = roles.insert(name="b_student", description="mine")
    load_dump(database, dump)
    granted = database.repository(UserRole).count(UserRole.role_id == mine)
    names = {role.name for role in roles.filter()}
    assert granted == 0
    assert any(name.startswith("b_student_") for name in names)


def test_a_post_keeps_its_text_and_its_author_or_the_placeholder(database: Database, dump: Path) -> None:
    load_dump(database, dump)
    posts = {post.metadata["source_id"]: post for post in database.repository(Post).filter()}
    placeholder = database.repository(User).first(User.email == "deleted@stackexchange.invalid")
    assert placeholder is not None
    assert posts[1].content.endswith("</p>\r\n")
    assert posts[20].user_id == posts[23].user_id == placeholder.id
    assert (posts[21].title, posts[21].content) == ("(tag wiki excerpt 21)", "")


def test_what_was_loaded_can_be_read(database: Database, dump: Path) -> None:
    load_dump(database, dump)
    found = read_all(database, "qubit")
    assert found["users"] == 14
    assert len(found["newest"]) == len(found["older"]) == 5
    assert not {post["id"] for post in found["newest"]} & {post["id"] for post in found["older"]}
    assert found["found"]
    assert "<mark>" in found["found"][0]["headline"]
    assert sum(found["votes"].values()) == 60
    assert sum(found["months"].values()) == database.repository(Post).count()


def test_every_page_says_how_many_statements_it_took_and_none_reads_row_by_row(database: Database, dump: Path) -> None:
    load_dump(database, dump)
    found = read_all(database, "qubit", size=10)
    assert found["statements"] == {
        "newest": 1,
        "users": 1,
        "older": 1,
        "found": 1,
        "votes": 1,
        "months": 1,
        "post": 2,
        "author": 1,
    }


@pytest.mark.parametrize(("argument", "code", "expected"), [("sample", 0, '"users": 14'), ("nothing-here", 2, '"broken_dump"')])
def test_the_command_answers_with_one_json_object(
    pg_db: ScratchDatabase, dump: Path, argument: str, code: int, expected: str
) -> None:
    address = pg_db.url("app").reveal()
    command = [sys.executable, "-m", "examples.stackexchange.load", str(dump.parent / argument), "--url", address, "--json"]
    given = {"PGKEEL_SECURITY__KEY": "env:FIELD_KEY", "FIELD_KEY": pg_db.template.field_key.reveal()}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert json.loads(done.stdout)["ok"] is (code == 0)
    assert expected in done.stdout


def test_the_votes_of_the_sample_move_from_the_default_partition_into_their_months(pg_db: ScratchDatabase, dump: Path) -> None:
    with Database(pg_db.url("app"), keys=pg_db.keys) as database:
        load_dump(database, dump)
        with connect(pg_db.url("owner")) as connection:
            outcome = partitions.run(connection, "events")
        assert outcome.left == 0
        assert list(outcome.moved) == [f"events_2018_{month:02d}" for month in range(3, 10)]
        assert counts_of(database)["events"] == 73


@pytest.mark.skipif(not REAL.is_dir(), reason="the real dump is not part of the repository")
def test_the_real_dump_becomes_exactly_these_rows(database: Database, pg_db: ScratchDatabase) -> None:
    loaded = load_dump(database, REAL)
    assert loaded.inserted == {
        "users": 3461 + 1,
        "posts": 1986,
        "comments": 3413,
        "roles": 55,
        "user_roles": 4456,
        "events": 3461 + 12560,
    }
    assert database.repository(Event).count(Event.type.like("vote.%")) == 12560
    with connect(pg_db.url("owner")) as connection:
        moved = partitions.run(connection, "events").moved
    assert list(moved) == [f"events_2018_{month:02d}" for month in range(3, 10)]
    assert set(load_dump(database, REAL).inserted.values()) == {0}


def test_no_file_of_the_server_holds_an_address_that_was_loaded(database: Database, pg_db: ScratchDatabase, dump: Path) -> None:
    load_dump(database, dump)
    user = database.repository(User).first(User.email == "deleted@stackexchange.invalid")
    assert user is not None
    with pytest.raises(AlreadyExists):
        database.repository(User).insert(email="DELETED@stackexchange.invalid", password_hash="!")
    database.repository(User).update(user.id, version=None, phone="+44 20 7946 0000")
    title = database.repository(Post).filter(limit=1)[0].title
    with connect(pg_db.url("superuser")) as superuser:
        superuser.execute("CHECKPOINT")
    found = dict.fromkeys((title, "@stackexchange.invalid", "+44 20 7946 0000"), 0)
    for file in (file for file in pg_db.template.cluster.data.parent.rglob("*") if file.is_file()):
        content = file.read_bytes()
        for text in found:
            found[text] += text.encode() in content
    assert found.pop(title) > 0  # the search sees what is clear
    assert found == {"@stackexchange.invalid": 0, "+44 20 7946 0000": 0}
