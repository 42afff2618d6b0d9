"""What a row of the dump becomes in our tables: pure functions, one a table.

Ids are derived from (site, table, the source's id), so that a second load finds what the first has made.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from examples.stackexchange.dump import Row
from pgkeel.core.ids import derived_id

__all__ = ["Site", "kind_of", "role_name", "tags_of", "title_of"]

Values = dict[str, Any]

POST_KINDS = {
    1: "question",
    2: "answer",
    3: "orphaned tag wiki",
    4: "tag wiki excerpt",
    5: "tag wiki",
    6: "moderator nomination",
    7: "wiki placeholder",
    8: "privilege wiki",
}
VOTES = {
    1: "accepted",
    2: "up",
    3: "down",
    4: "offensive",
    5: "favorite",
    6: "close",
    7: "reopen",
    8: "bounty_start",
    9: "bounty_close",
    10: "deletion",
    11: "undeletion",
    12: "spam",
    15: "moderator_review",
    16: "approve_edit",
}
_LONGEST_TITLE = 255
_LONGEST_ROLE = 20


class Site:
    """One site's dump: where ids come from, and who is known so far.

    Attributes:
        name: The site, part of every id.
        placeholder: The user who stands for deleted authors.
    """

    def __init__(self, name: str) -> None:
        """Know nobody yet."""
        self.name = name
        self.placeholder = self.id_of("users", "deleted")
        self.known_users: set[str] = set()

    def id_of(self, table: str, source_id: object) -> UUID:
        """Return the id of a row of the source."""
        return derived_id(self.name, table, str(source_id))

    def author(self, source_id: str) -> UUID:
        """Return the user of a number, or the placeholder where the account is gone."""
        return self.id_of("users", source_id) if source_id in self.known_users else self.placeholder

    def user(self, row: Row) -> Values:
        """Return the `users` row; nobody can log in: the dump has neither addresses nor passwords."""
        self.known_users.add(str(row.id))
        return _user(self.id_of("users", row.id), str(row.id), row.moment("CreationDate"))

    def placeholder_user(self, since: datetime) -> Values:
        """Return the `users` row that stands for every deleted author."""
        return _user(self.placeholder, "deleted", since)

    def user_event(self, row: Row) -> Values:
        """Return the `import.user` event that keeps what `users` has no column for."""
        payload = {"site": self.name, "source_id": row.id, "display_name": row.text("DisplayName")}
        payload |= _numbers(row, reputation="Reputation", views="Views", up_votes="UpVotes", down_votes="DownVotes")
        payload |= _texts(row, location="Location", website="WebsiteUrl", about="AboutMe")
        user = self.id_of("users", row.id)
        return _event(self.id_of("import.user", row.id), "import.user", row.moment("CreationDate"), user, payload)

    def post(self, row: Row, titles: Mapping[str, str]) -> Values:
        """Return the `posts` row; `titles` are those of the questions, by the source's id."""
        created = row.moment("CreationDate")
        return {
            "id": self.id_of("posts", row.id),
            "user_id": self.author(row.text("OwnerUserId")),
            "title": title_of(row, titles),
            "content": row.text("Body"),
            "status": "published",
            "metadata": self._post_metadata(row),
            "published_at": created,
            "created_at": created,
            "updated_at": created,
        }

    def _post_metadata(self, row: Row) -> Values:
        metadata: Values = {"site": self.name, "source_id": row.id, "kind": kind_of(row), "tags": tags_of(row.text("Tags"))}
        metadata |= _numbers(row, parent_id="ParentId", score="Score", views="ViewCount", accepted_answer_id="AcceptedAnswerId")
        metadata |= _texts(row, owner_name="OwnerDisplayName", closed_at="ClosedDate", edited_at="LastEditDate")
        return metadata

    def comment(self, row: Row) -> Values:
        """Return the `comments` row."""
        created = row.moment("CreationDate")
        return {
            "id": self.id_of("comments", row.id),
            "post_id": self.id_of("posts", row.required("PostId")),
            "user_id": self.author(row.text("UserId")),
            "content": row.text("Text"),
            "status": "visible",
            "created_at": created,
            "updated_at": created,
        }

    def role(self, badge: str, name: str) -> Values:
        """Return the `roles` row of a badge under the name that was free."""
        return {"id": self.id_of("roles", badge), "name": name, "description": f"badge {badge!r} of {self.name}"}

    def user_role(self, row: Row) -> Values:
        """Return the `user_roles` row."""
        return {
            "user_id": self.author(row.required("UserId")),
            "role_id": self.id_of("roles", row.required("Name")),
            "created_at": row.moment("Date"),
        }

    def vote(self, row: Row) -> Values:
        """Return the `events` row; most voters are secret, and the post need not exist any more."""
        post, user = row.required("PostId"), row.text("UserId")
        payload: Values = {"site": self.name, "source_id": row.id, "post_id": str(self.id_of("posts", post))}
        payload |= {"post_source_id": row.number("PostId")} | _numbers(row, bounty="BountyAmount", user_source_id="UserId")
        kind = row.number("VoteTypeId")
        name = "vote." + VOTES.get(kind or 0, f"type_{row.required('VoteTypeId')}")
        voter = self.author(user) if user else None
        return _event(self.id_of("votes", row.id), name, row.moment("CreationDate"), voter, payload)


def _user(identity: UUID, local_part: str, since: datetime) -> Values:
    return {
        "id": identity,
        "email": f"{local_part}@stackexchange.invalid",
        "username": None,
        "password_hash": "!",
        "created_at": since,
        "updated_at": since,
    }


def _event(identity: UUID, kind: str, at: datetime, user: UUID | None, payload: Values) -> Values:
    return {"id": identity, "occurred_at": at, "user_id": user, "type": kind, "payload": payload}


def _numbers(row: Row, **names: str) -> Values:
    return {ours: row.number(theirs) for ours, theirs in names.items() if row.text(theirs)}


def _texts(row: Row, **names: str) -> Values:
    return {ours: row.text(theirs) for ours, theirs in names.items() if row.text(theirs)}


def kind_of(row: Row) -> str:
    """Return what sort of post it is."""
    number = row.number("PostTypeId")
    return POST_KINDS.get(number or 0, f"post of type {number}")


def title_of(row: Row, titles: Mapping[str, str]) -> str:
    """Return a post's title, else `Re: ` and its parent's, else `(answer 12)`."""
    if own := row.text("Title").strip():
        return own
    if parent := titles.get(row.text("ParentId"), "").strip():
        return f"Re: {parent}"[:_LONGEST_TITLE]
    return f"({kind_of(row)} {row.id})"


def tags_of(text: str) -> list[str]:
    """Return the tags of `<a><b>` (dumps to 2024) or `|a|b|` (later ones)."""
    return re.findall(r"[^<>|]+", text)


def role_name(badge: str, taken: Mapping[str, UUID], identity: UUID) -> str:
    """Return the role's name of a badge: `b_` and a slug where that fits and is free, else a piece of it and a hash.

    Args:
        badge: The badge as the site writes it.
        taken: Every role there is, by name.
        identity: The id this badge's role has or will have.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", badge.lower()).strip("_")
    plain = f"b_{slug}"
    if slug and len(plain) <= _LONGEST_ROLE and taken.get(plain, identity) == identity:
        return plain
    return f"b_{slug[:9] or 'badge'}_{hashlib.sha256(identity.bytes).hexdigest()[:8]}"
