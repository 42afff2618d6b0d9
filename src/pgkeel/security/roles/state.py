"""What the server holds now: roles, memberships, and every right that matters to the declaration."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pgkeel.postgres import Connection, Row, load
from pgkeel.security.names import AUDIT, OWNER
from pgkeel.security.roles.declaration import NAMES, SYSTEM_RIGHTS, Declaration
from pgkeel.security.roles.foreign import is_untouchable
from pgkeel.security.roles.rights import PUBLIC, Held, Membership, Right, Role, Target

__all__ = ["State", "one_snapshot", "read_state", "state_within"]


class State(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        login: Who asks.
        is_superuser: Whether it is a superuser.
        database: The connected database.
        database_owner: Whose it is.
        has_grant_options: Whether memberships carry INHERIT and SET (PostgreSQL 16 and newer).
        roles: Every role of the server, by name.
        memberships: Every grant of a group.
        objects: What is in the declared schemas, with its owner.
        rights: What somebody else than the owner may do.
        misowned: What one of our roles owns that may own nothing: an owner may do all, whatever is declared.
        beyond: What our roles may do on what lies in no schema, in words.
    """

    login: str
    is_superuser: bool
    database: str
    database_owner: str
    has_grant_options: bool
    roles: dict[str, Role]
    memberships: tuple[Membership, ...]
    objects: dict[Target, str]
    rights: tuple[Held, ...]
    misowned: dict[Target, str] = {}
    beyond: tuple[str, ...] = ()

    @property
    def makers(self) -> tuple[str, ...]:
        """Who makes objects in the team's schemas: our owner, and outside also who migrates and whose database it is."""
        return (OWNER, *(name for name in sorted({self.login, self.database_owner} - {OWNER}) if self._is_a_maker(name)))

    def _is_a_maker(self, name: str) -> bool:
        role = self.roles.get(name)
        return role is not None and not (role.is_superuser or is_untouchable(name) or name in NAMES)

    def is_foreign(self, name: str) -> bool:
        """Return whether a role is somebody else's: neither ours, nor a superuser, nor the server's, nor the one who asks."""
        role = self.roles.get(name)
        is_ours = name in NAMES or name in {self.login, self.database_owner}
        return role is not None and not (is_ours or role.is_superuser or is_untouchable(name))

    @property
    def has_foreign_logins(self) -> bool:
        """Whether somebody else logs in, whose rights may come from PUBLIC."""
        return any(role.can_login and self.is_foreign(role.name) for role in self.roles.values())


@contextmanager
def one_snapshot(connection: Connection) -> Iterator[None]:
    """Let all that is read within see the same moment: tables come and go while somebody looks."""
    with connection.transaction():
        load(__name__, "snapshot").run(connection)
        yield


def read_state(connection: Connection, declaration: Declaration) -> State:
    """Return what the server holds, read in one snapshot."""
    with one_snapshot(connection):
        return state_within(connection, declaration)


def state_within(connection: Connection, declaration: Declaration) -> State:
    """Return what the server holds, within `one_snapshot` of whoever reads more."""
    session = load(__name__, "session").row(connection) or {}
    members = load(__name__, "members_found" if session["has_grant_options"] else "members_found_15")
    state = State(
        **session,
        roles={row["name"]: _role(row) for row in load(__name__, "roles_found").rows(connection)},
        memberships=tuple(msgspec.convert(row, Membership) for row in members.rows(connection)),
        objects=dict(_objects(connection, declaration)),
        rights=(),
        misowned=dict(_misowned(connection, declaration)),
        beyond=tuple(_beyond(connection)),
    )
    rights = (*_held(connection, declaration, state.database), *_later(connection, state.makers), *_later_of_missing(state))
    return msgspec.structs.replace(state, rights=rights)


def _role(row: Row) -> Role:
    settings = dict(entry.split("=", 1) for entry in row["settings"])
    return msgspec.convert({**row, "settings": settings}, Role)


def _objects(connection: Connection, declaration: Declaration) -> Iterator[tuple[Target, str]]:
    system = [name for kind, name, _, _ in SYSTEM_RIGHTS if kind == "ROUTINE"]
    for row in load(__name__, "objects_found").rows(connection, schemas=list(declaration.all_schemas), system=system):
        yield Target(row["kind"], tuple(row["names"]), row["arguments"]), row["owner"]


def _misowned(connection: Connection, declaration: Declaration) -> Iterator[tuple[Target, str]]:
    roles = sorted(NAMES - {OWNER, AUDIT})
    for row in load(__name__, "misowned").rows(connection, schemas=list(declaration.all_schemas), roles=roles):
        yield Target(row["kind"], tuple(row["names"]), row["arguments"]), row["owner"]


def _beyond(connection: Connection) -> Iterator[str]:
    for row in load(__name__, "beyond_found").rows(connection, roles=sorted(NAMES)):
        yield f"{row['grantee']} may {row['privilege']} on {row['kind']} {row['name']}"


def _held(connection: Connection, declaration: Declaration, database: str) -> Iterator[Held]:
    wanted = {
        "databases": [database, *declaration.closed],
        "schemas": list(declaration.all_schemas),
        "roles": sorted(NAMES),
    }
    for row in load(__name__, "rights_found").rows(connection, **wanted):
        target = Target(row["kind"], tuple(row["names"]), row["arguments"])
        right = Right(target, row["grantee"], row["privilege"], row["column_name"])
        yield Held(right, row["owner"], row["grantor"], row["is_grantable"])


def _later(connection: Connection, makers: tuple[str, ...]) -> Iterator[Held]:
    for row in load(__name__, "defaults_found").rows(connection, makers=[*makers, AUDIT]):
        target = Target(row["kind"], (row["maker"], row["schema"]))
        yield Held(Right(target, row["grantee"], row["privilege"]), row["maker"], row["maker"], row["is_grantable"])


def _later_of_missing(state: State) -> Iterator[Held]:
    """Yield what PUBLIC will have as soon as a maker that is still missing is made."""
    for maker in {*state.makers, AUDIT} - set(state.roles):
        yield Held(Right(Target("ROUTINES", (maker, "")), PUBLIC, "EXECUTE"), maker, maker, is_grantable=False)
