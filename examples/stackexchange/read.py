"""Ask what a site asks of its database: `python -m examples.stackexchange.read [TEXT] [--url URL] [--json]`.

Every page goes through repositories and says how many statements it took; nothing is ever loaded a row at a time.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from sqlalchemy import func

from examples.stackexchange.load import database_url
from pgkeel.access.buckets import bucket
from pgkeel.access.counting import scope
from pgkeel.access.sync import Database
from pgkeel.cli.answer import Answer, answers, run_and_exit
from pgkeel.schema.models import Event, Post, User
from pgkeel.schema.rows import PostRow

__all__ = ["read", "read_all"]

T = TypeVar("T")


@click.command()
@click.argument("text", default="quantum")
@click.option("--url", help="Address of the database; the project's own when it is not given.")
@answers
def read(text: str, url: str | None) -> Answer:
    """Show the newest posts, one of them with its author and comments, what matches TEXT, and the sums of the votes."""
    with Database(database_url(url)) as database:
        found = read_all(database, text)
    return Answer(found, "\n".join(_lines(found)))


def read_all(database: Database, text: str, *, size: int = 5) -> dict[str, Any]:
    """Return one answer of every read pattern of the design, and `statements`: how many each page took."""
    pages = _Pages(database, size)
    newest = pages.show("newest", pages.newest)
    pages.show("users", lambda: database.repository(User).count_up_to().value)
    pages.show("older", lambda: pages.newest(after=pages.next) if pages.next else newest)
    pages.show("found", lambda: pages.found(text))
    pages.show("votes", lambda: _votes(database))
    pages.show("months", lambda: _months(database))
    if newest:
        pages.show("post", lambda: pages.post(newest[0]["id"]))
        pages.show("author", lambda: pages.by_author(pages.answer["post"]["author"]))
    return {**pages.answer, "statements": pages.statements}


class _Pages:
    """The pages of the site."""

    def __init__(self, database: Database, size: int) -> None:
        self._posts = database.repository(Post)
        self._size = size
        self.next: str | None = None
        self.answer: dict[str, Any] = {}
        self.statements: dict[str, int] = {}

    def show(self, name: str, page: Callable[[], T]) -> T:
        """Make a page and count its statements."""
        with scope(name) as ran:
            made = page()
        self.answer[name], self.statements[name] = made, ran.total
        return made

    def newest(self, after: str | None = None) -> list[dict[str, Any]]:
        """Return posts, the newest first."""
        page = self._posts.page(order_by=Post.created_at.desc(), limit=self._size, after=after)
        self.next = page.next
        return [_shown(post) for post in page.rows]

    def found(self, text: str) -> list[dict[str, Any]]:
        """Return what matches, with the words in their surroundings."""
        return [{**_shown(hit.row), "headline": hit.headline} for hit in self._posts.search_hits(text, limit=self._size)]

    def post(self, key: object) -> dict[str, Any]:
        """Return a post with its author and its comments."""
        post, user, comments = self._posts.include(Post.user).include(Post.comments).get_one(key)
        return {**_shown(post), "author": user.id, "comments": [comment.content for comment in comments]}

    def by_author(self, user: object) -> list[dict[str, Any]]:
        """Return posts of one author."""
        return [_shown(post) for post in self._posts.filter(Post.user_id == user, limit=self._size)]


def _votes(database: Database) -> dict[str, int]:
    sums = database.repository(Event).aggregate(Event.type.like("vote.%"), by=[Event.type], votes=func.count())
    return {row["type"]: row["votes"] for row in sorted(sums, key=lambda row: -row["votes"])}


def _months(database: Database) -> dict[str, int]:
    sums = database.repository(Post).aggregate(by=[bucket(Post.created_at, "month")], posts=func.count())
    return {f"{row['created_at']:%Y-%m}": row["posts"] for row in sums}


def _shown(post: PostRow) -> dict[str, Any]:
    return {"id": post.id, "title": post.title, "at": post.created_at, "score": post.metadata.get("score")}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['users']:,} users{_took(found, 'users')}"]
    for heading in ("newest", "older", "found", "author"):
        rows = found.get(heading, ())
        lines += ["", f"{heading}{_took(found, heading)}", *(f"  {post['at']:%Y-%m-%d}  {post['title']}" for post in rows)]
    if "post" in found:
        lines += ["", f"{found['post']['title']}: {len(found['post']['comments'])} comments{_took(found, 'post')}"]
    lines += ["", f"votes{_took(found, 'votes')}", *(f"  {count:>8,}  {kind}" for kind, count in found["votes"].items())]
    return [*lines, "", f"posts in {len(found['months'])} months{_took(found, 'months')}"]


def _took(found: dict[str, Any], page: str) -> str:
    count = found["statements"].get(page)
    return "" if count is None else f"  ({count} statement{'s' if count > 1 else ''})"


if __name__ == "__main__":
    run_and_exit(read, sys.argv[1:])
