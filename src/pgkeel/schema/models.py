"""The design's tables as SQLAlchemy models; `migrations/` holds the same, and a test compares both databases.

Relationships load nothing by surprise: reading one that was not asked for is an error (`raise_on_sql`), never a hidden query.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgkeel.schema.ddl import Trigger, after_create, before_drop, bring_triggers
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified, SoftDeleted, TimeOrdered, Timestamped, Versioned
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.search import Search
from pgkeel.schema.types import TYPES, CreatedAt, Money, Status

if TYPE_CHECKING:
    from pgkeel.schema.rows import CommentRow, EventRow, PostRow, RoleRow, SessionRow, UserRoleRow, UserRow, UserTokenRow

__all__ = ["Base", "Comment", "Event", "Post", "Role", "Session", "User", "UserRole", "UserToken"]

UserStatus = Literal["active", "inactive", "pending", "suspended", "deleted"]
PostStatus = Literal["draft", "published", "archived", "deleted"]
CommentStatus = Literal["visible", "hidden", "deleted"]

_ARGON2 = r"'^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$'"


class Base(DeclarativeBase):
    """The declarative base of the reference schema."""

    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPES


class Role(Base, Identified, Timestamped, Versioned):
    """A named set of permissions."""

    __tablename__ = "roles"
    __table_args__ = (CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,19}$'", name="name"),)
    if TYPE_CHECKING:
        __row__: ClassVar[type[RoleRow]]

    name: Mapped[str] = mapped_column(String(20), unique=True)
    description: Mapped[str] = mapped_column(Text, server_default="")


class User(Base, Identified, Timestamped, Versioned, SoftDeleted):
    """An account; `role` is its default role, `user_roles` adds."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("username ~ '^[a-z0-9][a-z0-9_.-]{0,49}$'", name="username"),
        CheckConstraint(f"password_hash = '!' OR password_hash ~ {_ARGON2}", name="password_hash"),
        Index("idx_users_status", "status"),
        Index("idx_users_active", "status", text("created_at DESC"), text("id DESC"), postgresql_where=text("status = 'active'")),
    )
    __soft_delete__ = {  # noqa: RUF012 - declared as ClassVar by SoftDeleted
        "sessions.user_id": "delete",
        "posts.user_id": "keep",
        "comments.user_id": "keep",
        "events.user_id": "keep",
        "user_roles.user_id": "keep",
        "user_roles.granted_by": "keep",
    }
    __tombstone__ = {  # noqa: RUF012 - declared as ClassVar by SoftDeleted
        "email": "uuid_send(id)",  # no sealed value: shorter than any; needs no key, says nothing, and is another one for each
        "email_bidx": "sha256(uuid_send(id))",
        "email_bidx_next": "NULL",
        "username": "NULL",
        "phone": "NULL",
        "password_hash": "'!'",
    }
    if TYPE_CHECKING:
        __row__: ClassVar[type[UserRow]]

    email: Mapped[str] = Encrypted(index="email", unique="idx_users_email")
    username: Mapped[str | None] = mapped_column(String(50), unique=True, info={"pii": True})
    password_hash: Mapped[str] = mapped_column(String(255), info={"secret": True})
    role: Mapped[str] = mapped_column(
        ForeignKey("roles.name", onupdate="CASCADE", ondelete="RESTRICT"), index=True, server_default="user"
    )
    status: Mapped[UserStatus] = Status("active", "inactive", "pending", "suspended", "deleted", default="active")
    phone: Mapped[str | None] = Encrypted(sort_order=200)

    default_role: Mapped[Role] = relationship(lazy="raise_on_sql", viewonly=True)
    roles: Mapped[list[Role]] = relationship(
        secondary="user_roles",
        primaryjoin="User.id == UserRole.user_id",
        secondaryjoin="UserRole.role_id == Role.id",
        lazy="raise_on_sql",
        viewonly=True,
    )
    sessions: Mapped[list["Session"]] = relationship(back_populates="user", lazy="raise_on_sql", passive_deletes=True)
    posts: Mapped[list["Post"]] = relationship(back_populates="user", lazy="raise_on_sql", passive_deletes="all")
    comments: Mapped[list["Comment"]] = relationship(back_populates="user", lazy="raise_on_sql", passive_deletes="all")


class UserRole(Base):
    """A role that a user has beside the default one."""

    __tablename__ = "user_roles"
    __table_args__ = (
        Index("idx_user_roles_role_id", "role_id"),
        Index("idx_user_roles_granted_by", "granted_by", postgresql_where=text("granted_by IS NOT NULL")),
    )
    if TYPE_CHECKING:
        __row__: ClassVar[type[UserRoleRow]]

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="RESTRICT"), primary_key=True)
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]


class Session(Base, Identified):
    """A login; `token` is the hex SHA-256 of the bearer's secret."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("token", name="idx_sessions_token"),
        CheckConstraint("token ~ '^[0-9a-f]{64}$'", name="token"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
    )
    if TYPE_CHECKING:
        __row__: ClassVar[type[SessionRow]]

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token: Mapped[str] = mapped_column(String(255), info={"secret": True})
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship(back_populates="sessions", lazy="raise_on_sql")


class UserToken(Base):
    """A token sent by mail, good once; a newer one for the same purpose takes its place."""

    __tablename__ = "user_tokens"
    __table_args__ = (
        UniqueConstraint("token", name="idx_user_tokens_token"),
        CheckConstraint("purpose IN ('reset', 'verify')", name="purpose"),
        CheckConstraint("token ~ '^[0-9a-f]{64}$'", name="token"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
    )
    if TYPE_CHECKING:
        __row__: ClassVar[type[UserTokenRow]]

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20), primary_key=True)
    token: Mapped[str] = mapped_column(String(64), info={"secret": True})
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[CreatedAt]


class Post(Base, TimeOrdered, Timestamped, Versioned, SoftDeleted):
    """Something a user wrote; its comments are hidden and come back with it."""

    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("btrim(title) <> ''", name="title"),
        CheckConstraint("status <> 'published' OR published_at IS NOT NULL", name="published_at"),
        CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata"),
        Index("idx_posts_user_status", "user_id", "status"),
        Index("idx_posts_user_id", "user_id", text("created_at DESC"), text("id DESC")),
        Index("idx_posts_published", text("published_at DESC"), text("id DESC"), postgresql_where=text("status = 'published'")),
    )
    __search__: ClassVar[tuple[Search, ...]] = (Search(("title", "content"), "english"),)
    __soft_delete__ = {"comments.post_id": "delete"}  # noqa: RUF012 - declared as ClassVar by SoftDeleted
    if TYPE_CHECKING:
        __row__: ClassVar[type[PostRow]]

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(String(255))
    content: Mapped[str]
    status: Mapped[PostStatus] = Status("draft", "published", "archived", "deleted", default="draft")
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'"))
    published_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(back_populates="posts", lazy="raise_on_sql")
    comments: Mapped[list["Comment"]] = relationship(back_populates="post", lazy="raise_on_sql", passive_deletes=True)


class Comment(Base, TimeOrdered, Timestamped, Versioned, SoftDeleted):
    """A user's words on a post."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("btrim(content) <> ''", name="content"),
        Index("idx_comments_post_id", "post_id", "created_at", "id"),
        Index("idx_comments_user_id", "user_id", text("created_at DESC"), text("id DESC")),
    )
    if TYPE_CHECKING:
        __row__: ClassVar[type[CommentRow]]

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    content: Mapped[str]
    status: Mapped[CommentStatus] = Status("visible", "hidden", "deleted", default="visible")

    post: Mapped[Post] = relationship(back_populates="comments", lazy="raise_on_sql")
    user: Mapped[User] = relationship(back_populates="comments", lazy="raise_on_sql")


class Event(Base, TimeOrdered):
    """Something that happened; partitioned by month."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("type ~ '^[a-z][a-z0-9_.]*$'", name="type"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL) AND currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("jsonb_typeof(payload) = 'object'", name="payload"),
        Index("idx_events_occurred_at", "occurred_at", postgresql_using="brin"),
        Index("idx_events_user_id", "user_id", "occurred_at"),
        Index("idx_events_type", "type", "occurred_at"),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )
    if TYPE_CHECKING:
        __row__: ClassVar[type[EventRow]]

    occurred_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.current_timestamp())
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    type: Mapped[str] = mapped_column(String(100))
    amount: Mapped[Money | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


after_create(Role.__table__, "first_roles")
after_create(UserRole.__table__, "effective_roles")
before_drop(UserRole.__table__, "DROP VIEW IF EXISTS user_effective_roles")
after_create(Event.__table__, "first_partition", "default_partition")


_REPLACED = (
    "OLD.password_hash <> NEW.password_hash AND current_setting('pgkeel.rehashed', true) IS DISTINCT FROM NEW.password_hash"
)
_OUT = "OLD.status <> NEW.status AND NEW.status <> 'active'"
_MOVED = "OLD.email_bidx IS DISTINCT FROM NEW.email_bidx AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on'"
_DISTRUSTED = f"({_MOVED}) OR NEW.status IN ('suspended', 'deleted')"


def _revocations(_: Table) -> tuple[Trigger, Trigger]:
    """Return what ends a user's sessions and mailed tokens, whoever writes the row."""
    sessions, tokens = ("sessions", "user_id", "id"), ("user_tokens", "user_id", "id")
    return (
        Trigger("end_sessions", "delete_children", sessions, f"({_REPLACED}) OR ({_OUT})", "AFTER"),
        Trigger("end_tokens", "delete_children", tokens, f"({_REPLACED}) OR {_DISTRUSTED}", "AFTER"),
    )


bring_triggers(User.metadata.tables["users"], "revocations", _revocations)
