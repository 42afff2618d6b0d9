"""Ask what a site asks of its database: `python -m examples.stackexchange.read [TEXT] [--url URL] [--json]`."""

import sys
from typing import Any

import click
from sqlalchemy import func

from examples.stackexchange.load import database_url
from pgkeel.access.sync import Database
from pgkeel.cli.answer import Answer, answers, run_and_exit
from pgkeel.schema.models import Comment, Event, Post, User
from pgkeel.schema.rows import PostRow

__all__ = ["read", "read_all"]


@click.command()
@click.argument("text", default="quantum")
@click.option("--url", help="Address of the database; the project's own when it is not given.")
@answers
def read(text: str, url: str | None) -> Answer:
    """Show the newest posts, those of one author, what matches TEXT, and the sums of the votes."""
    with Database(database_url(url)) as database:
        found = read_all(database, text)
    return Answer(found, "\n".join(_lines(found)))


def read_all(database: Database, text: str, *, size: int = 5) -> dict[str, Any]:
    """Return one answer of every read pattern of the design."""
    posts, comments = database.repository(Post), database.repository(Comment)
    newest = posts.page(order_by=Post.created_at.desc(), limit=size)
    older = posts.page(order_by=Post.created_at.desc(), limit=size, after=newest.next) if newest.next else newest
    answer: dict[str, Any] = {
        "users": database.repository(User).count(),
        "newest": [_shown(post) for post in newest.rows],
        "older": [_shown(post) for post in older.rows],
        "found": [_shown(post) for post in posts.search(text, limit=size)],
        "votes": _votes(database),
    }
    if newest.rows:
        post = posts.get_one(newest.rows[0].id)
        answer["author"] = [_shown(row) for row in posts.filter(Post.user_id == post.user_id, limit=size)]
        answer["comments"] = [row.content for row in comments.filter(Comment.post_id == post.id, limit=size)]
    return answer


def _votes(database: Database) -> dict[str, int]:
    sums = database.repository(Event).aggregate(Event.type.like("vote.%"), by=[Event.type], votes=func.count())
    return {row["type"]: row["votes"] for row in sorted(sums, key=lambda row: -row["votes"])}


def _shown(post: PostRow) -> dict[str, Any]:
    return {"id": post.id, "title": post.title, "at": post.created_at, "score": post.metadata.get("score")}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['users']:,} users"]
    for heading in ("newest", "older", "found", "author"):
        lines += ["", heading, *(f"  {post['at']:%Y-%m-%d}  {post['title']}" for post in found.get(heading, ()))]
    lines += ["", "votes", *(f"  {count:>8,}  {kind}" for kind, count in found["votes"].items())]
    return lines


if __name__ == "__main__":
    run_and_exit(read, sys.argv[1:])
