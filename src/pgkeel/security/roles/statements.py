"""The statements of a plan: files with holes, filled with quoted names and with words from closed lists."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from psycopg import sql

from pgkeel.postgres import Query, identifier, load
from pgkeel.security.roles.rights import PUBLIC, Held, Membership, Right, Role, Target

__all__ = [
    "alter_role",
    "attributes",
    "create_role",
    "create_schema",
    "grants",
    "join",
    "leave",
    "owned_by",
    "revokes",
    "setting",
]

_ATTRIBUTES = {
    "can_login": "LOGIN",
    "inherits": "INHERIT",
    "is_superuser": "SUPERUSER",
    "creates_roles": "CREATEROLE",
    "creates_databases": "CREATEDB",
    "replicates": "REPLICATION",
    "bypasses_rls": "BYPASSRLS",
}
_PRIVILEGES = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
        "MAINTAIN",
        "USAGE",
        "EXECUTE",
        "CREATE",
        "CONNECT",
        "TEMPORARY",
    ]
)


def create_role(name: str) -> Query:
    """Return the statement that makes a role that may do nothing."""
    return load(__name__, "create_role").named(role=identifier(name))


def attributes(found: Role, wanted: Role) -> str:
    """Return the attributes to change, "" where none; one that is right is not named, for naming some needs a superuser."""
    changed = (
        (word, getattr(wanted, field)) for field, word in _ATTRIBUTES.items() if getattr(found, field) != getattr(wanted, field)
    )
    return " ".join(word if is_on else f"NO{word}" for word, is_on in changed)


def alter_role(name: str, changed: str) -> Query:
    """Return the statement that changes a role's attributes."""
    return load(__name__, "alter_role").named(role=identifier(name), attributes=sql.SQL(changed))


def setting(role: str, name: str, value: str) -> Query:
    """Return the statement that sets a role's default."""
    return load(__name__, "role_setting").named(role=identifier(role), setting=identifier(name), value=sql.Literal(value))


def join(one: Membership, *, has_grant_options: bool) -> Query:
    """Return the statement that takes a role into a group."""
    names = {"group": identifier(one.group), "member": identifier(one.member)}
    if not has_grant_options:
        return load(__name__, "join_15").named(**names)
    options = {"inherits": sql.SQL(str(one.inherits).upper()), "becomes": sql.SQL(str(one.may_become).upper())}
    return load(__name__, "join").named(**names, **options)


def leave(one: Membership, *, has_grant_options: bool) -> Query:
    """Return the statement that takes a role out of a group; each grantor's grant goes by itself from PostgreSQL 16 on."""
    names = {"group": identifier(one.group), "member": identifier(one.member)}
    if not has_grant_options:
        return load(__name__, "leave_15").named(**names)
    return load(__name__, "leave").named(**names, grantor=identifier(one.grantor))


def create_schema(name: str, owner: str) -> Query:
    """Return the statement that makes one of our schemas."""
    return load(__name__, "create_schema").named(schema=identifier(name), owner=identifier(owner))


def owned_by(target: Target, owner: str) -> Query:
    """Return the statement that makes something a role's."""
    return load(__name__, "owner").named(**_target(target), owner=identifier(owner))


def grants(rights: Iterable[Right]) -> Iterator[Query]:
    """Yield a statement for each target and role."""
    for (target, grantee), group in groupby(sorted(rights), key=lambda right: (right.target, right.grantee)):
        name = "grant_later" if target.is_later else "grant"
        yield load(__name__, name).named(privileges=_privileges(list(group)), grantee=_role(grantee), **_target(target))


def revokes(held: Iterable[Held], wanted: frozenset[Right]) -> Iterator[Query]:
    """Yield a statement for each target and role, in the grantor's name where that is not the owner.

    Args:
        held: What is too much.
        wanted: What of it stays: only the right to pass it on goes.
    """
    ordered = sorted(held, key=lambda one: (one.right.target, one.right.grantee, one.grantor, one.owner, one.right in wanted))
    for key, group in groupby(
        ordered, key=lambda one: (one.right.target, one.right.grantee, one.grantor, one.owner, one.right in wanted)
    ):
        target, grantee, grantor, owner, only_option = key
        option = sql.SQL("GRANT OPTION FOR " if only_option else "")
        holes = {"option": option, "privileges": _privileges([one.right for one in group]), "grantee": _role(grantee)}
        if target.is_later:
            yield load(__name__, "revoke_later").named(**holes, **_target(target))
        elif grantor == owner:
            yield load(__name__, "revoke").named(**holes, **_target(target))
        else:
            yield load(__name__, "revoke_as").named(**holes, **_target(target), grantor=identifier(grantor))


def _privileges(rights: Sequence[Right]) -> sql.Composable:
    """Return `SELECT (id, title), INSERT`."""
    parts: list[sql.Composable] = []
    for privilege, group in groupby(sorted(rights), key=lambda right: right.privilege):
        if privilege not in _PRIVILEGES:
            raise ValueError(f"{privilege} is no privilege that we know")
        columns = [identifier(right.column) for right in group if right.column]
        listed = sql.SQL(" ({})").format(sql.SQL(", ").join(columns)) if columns else sql.SQL("")
        parts.append(sql.SQL("{}{}").format(sql.SQL(privilege), listed))
    return sql.SQL(", ").join(parts)


def _target(target: Target) -> dict[str, sql.Composable]:
    """Return the holes of what a right is on."""
    if target.is_later:
        maker, schema = target.names
        place = sql.SQL(" IN SCHEMA {}").format(identifier(schema)) if schema else sql.SQL("")
        return {"kind": sql.SQL(target.kind), "maker": identifier(maker), "place": place}
    name: sql.Composable = identifier(*target.names)
    if target.kind == "ROUTINE":
        name = sql.SQL("{}({})").format(name, sql.SQL(target.arguments))  # as the server quotes them
    return {"kind": sql.SQL(target.kind), "target": name}


def _role(name: str) -> sql.Composable:
    return sql.SQL("PUBLIC") if name == PUBLIC else identifier(name)
