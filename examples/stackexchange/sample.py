"""Write a small dump in the real format, with everything that makes the real one hard: for tests and for a first try.

python -m examples.stackexchange.sample DIR
"""

import gzip
import random
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec

__all__ = ["Counts", "write_sample"]

_START = datetime(2018, 3, 9, 18, 48, 9, 477000)  # noqa: DTZ001 - the dump's dates carry no zone
_WORDS = (
    "qubit",
    "Toffoli-Gatter",
    "<b>Bell</b> state",
    "Grover & Shor",
    "квантовый",
    "量子",
    "🐈",
    'a "real" gate',
    "phase\r\nkickback",
)
_BADGES = (
    "Student",
    "Teacher",
    "Strunk & White",
    "c++",
    "c#",
    "quantum-algorithms",
    "Yearling of the Great Quantum Age",
    "Ученик",
)
_VOTE_TYPES = (1, 2, 2, 2, 3, 5, 8, 15, 16, 99)

Attributes = dict[str, object]


class Counts(msgspec.Struct, frozen=True):
    """What a load of the sample must make."""

    users: int
    posts: int
    comments: int
    roles: int
    user_roles: int
    repeated_badges: int
    votes: int


def write_sample(folder: Path, *, users: int = 12, posts: int = 20, votes: int = 60, zipped: bool = True) -> Counts:
    """Write the five files; the same arguments always write the same ones.

    Args:
        folder: Where to; it is made.
        users: Accounts beside the community's own (Id -1).
        posts: Questions and answers; tag wikis, deleted authors and an orphan come on top.
        votes: Votes, each fifth on a post that is gone.
        zipped: `.xml.gz` instead of `.xml`.
    """
    draw = random.Random(20180912)  # noqa: S311 - a sample, not a secret
    folder.mkdir(parents=True, exist_ok=True)
    people = [_user(number) for number in (-1, *range(1, users + 1))]
    written = [*_posts(draw, users, posts), *_odd_posts(posts)]
    comments = [_comment(number, draw, users, posts) for number in range(1, posts + 2)]
    badges = [_badge(number, draw, users) for number in range(1, users * 2 + 1)]
    badges.append(badges[0] | {"Id": len(badges) + 1})
    ballots = [_vote(number, draw, users, posts) for number in range(1, votes + 1)]
    for name, rows in zip(
        ("Users", "Posts", "Comments", "Badges", "Votes"), (people, written, comments, badges, ballots), strict=True
    ):
        _write(folder, name, rows, zipped=zipped)
    earned = {(badge["UserId"], badge["Name"]) for badge in badges}
    kinds = {badge["Name"] for badge in badges}
    return Counts(len(people) + 1, len(written), len(comments), len(kinds), len(earned), len(badges) - len(earned), len(ballots))


def _at(minutes: int) -> str:
    return (_START + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def _text(draw: random.Random) -> str:
    return "<p>" + " ".join(draw.choices(_WORDS, k=12)) + "</p>\r\n"


def _user(number: int) -> Attributes:
    return {
        "Id": number,
        "Reputation": abs(number) * 7,
        "CreationDate": _at(number),
        "DisplayName": f"{_WORDS[number % len(_WORDS)]} {number}",
        "Location": "Čtvrtek",
        "AboutMe": "<p>I'm & I was</p>\r\n",
    }


def _posts(draw: random.Random, users: int, posts: int) -> Iterable[Attributes]:
    questions: list[int] = []
    for number in range(1, posts + 1):
        common = {"Id": number, "CreationDate": _at(100 + number * 3000), "Score": draw.randint(-3, 50), "Body": _text(draw)}
        author = {} if number == posts else {"OwnerUserId": draw.randint(1, users)}
        if not questions or draw.random() < 0.4:
            questions.append(number)
            yield common | author | {"PostTypeId": 1, "Title": f"What is {draw.choice(_WORDS)}?", "Tags": "<qubit><q#>"}
        else:
            yield common | author | {"PostTypeId": 2, "ParentId": draw.choice(questions)}


def _odd_posts(posts: int) -> list[Attributes]:
    """What a loader trips over: no title and no parent, an empty body, a parent and an author that are gone."""
    when = _at(100 + posts * 3000)
    return [
        {"Id": posts + 1, "PostTypeId": 4, "CreationDate": when, "Body": "", "OwnerUserId": -1},
        {"Id": posts + 2, "PostTypeId": 5, "CreationDate": when, "Body": "", "OwnerUserId": -1},
        {"Id": posts + 3, "PostTypeId": 2, "CreationDate": when, "Body": "x", "ParentId": 999999, "OwnerDisplayName": "user9"},
        {"Id": posts + 4, "PostTypeId": 6, "CreationDate": when, "Body": "y", "OwnerUserId": 999999},
    ]


def _comment(number: int, draw: random.Random, users: int, posts: int) -> Attributes:
    author: Attributes = {"UserDisplayName": "user77"} if number % 7 == 0 else {"UserId": draw.randint(1, users)}
    return {
        "Id": number * 3,
        "PostId": draw.randint(1, posts),
        "Text": _text(draw),
        "CreationDate": _at(200 + number * 2000),
    } | author


def _badge(number: int, draw: random.Random, users: int) -> Attributes:
    name = _BADGES[number % len(_BADGES)]
    return {
        "Id": number,
        "UserId": draw.randint(1, users),
        "Name": name,
        "Date": _at(number * 500),
        "Class": 3,
        "TagBased": False,
    }


def _vote(number: int, draw: random.Random, users: int, posts: int) -> Attributes:
    kind = draw.choice(_VOTE_TYPES)
    post = 10**6 + number if number % 5 == 0 else draw.randint(1, posts)
    voter: Attributes = {"UserId": draw.randint(1, users), "BountyAmount": 50} if kind == 8 else {}
    day = (_START + timedelta(days=number * 3)).date().isoformat() + "T00:00:00.000"
    return {"Id": number, "PostId": post, "VoteTypeId": kind, "CreationDate": day} | voter


def _write(folder: Path, name: str, rows: Iterable[Attributes], *, zipped: bool) -> None:
    lines = ['\ufeff<?xml version="1.0" encoding="utf-8"?>', f"<{name.lower()}>"]
    lines += ["  <row " + " ".join(f"{key}={_attribute(value)}" for key, value in row.items()) + " />" for row in rows]
    data = "\r\n".join([*lines, f"</{name.lower()}>"]).encode()
    for stale in (folder / f"{name}.xml", folder / f"{name}.xml.gz"):
        stale.unlink(missing_ok=True)
    (folder / (f"{name}.xml.gz" if zipped else f"{name}.xml")).write_bytes(gzip.compress(data, mtime=0) if zipped else data)


def _attribute(value: object) -> str:
    return '"' + escape(str(value), {'"': "&quot;", "\r": "&#xD;", "\n": "&#xA;"}) + '"'


if __name__ == "__main__":
    print(write_sample(Path(sys.argv[1])))
