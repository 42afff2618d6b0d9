"""Every operation by every role: what is declared beside what the server would answer."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pgkeel.postgres import Connection, Row, load
from pgkeel.security.names import AUDIT, OWNER
from pgkeel.security.roles.declaration import MEMBERSHIPS, NAMES, ROLES, Declaration
from pgkeel.security.roles.plan import undeclared
from pgkeel.security.roles.rights import PUBLIC, Right, Role, Target
from pgkeel.security.roles.state import State, one_snapshot, state_within
from pgkeel.security.roles.wanted import is_shipped, wanted_rights

__all__ = ["Cell", "matrix"]

_GROUPS = {
    role.name: (role.name, *(one.group for one in MEMBERSHIPS if one.member == role.name and one.inherits)) for role in ROLES
}
_ATTRIBUTES: Mapping[str, str] = {
    "can_login": "log in",
    "is_superuser": "be superuser",
    "creates_roles": "create roles",
    "creates_databases": "create databases",
    "replicates": "replicate",
    "bypasses_rls": "bypass row security",
}
_LATER = {
    "TABLES": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "SEQUENCES": ("USAGE", "SELECT", "UPDATE"),
    "ROUTINES": ("EXECUTE",),
}


class Cell(msgspec.Struct, frozen=True):
    """One operation of one role, allowed or not."""

    operation: str
    role: str
    declared: bool
    actual: bool


def matrix(connection: Connection, declaration: Declaration) -> tuple[Cell, ...]:
    """Return every cell; a role that is missing may do nothing."""
    with one_snapshot(connection):
        state = state_within(connection, declaration)
        found = load(__name__, "matrix_found").rows(
            connection, databases=[state.database], schemas=list(declaration.all_schemas), roles=sorted(NAMES)
        )
    wanted = wanted_rights(state, declaration) | {one.right for one in state.rights if is_shipped(one.right)}
    cells = (*_on_what_is(found, state, wanted), *_on_what_comes(state, declaration, wanted))
    asked = {(cell.operation, cell.role) for cell in cells}
    return (
        *cells,
        *(cell for cell in _elsewhere(state, declaration, wanted) if (cell.operation, cell.role) not in asked),
        *_owning(state),
        *_attributes(state, declaration),
        *_becoming(state),
        *_borrowing(state),
    )


def _on_what_is(found: Sequence[Row], state: State, wanted: frozenset[Right]) -> Iterator[Cell]:
    for row in found:
        target = Target(row["kind"], tuple(row["names"]), row["arguments"])
        declared = _declared(target, row["privilege"], row["column_name"], row["role"], wanted)
        is_owner = _owner(target, state) in _GROUPS[row["role"]]
        operation = _operation(target, row["privilege"], row["column_name"])
        yield Cell(operation, row["role"], declared or is_owner, row["is_allowed"])


def _operation(target: Target, privilege: str, column: str) -> str:
    return f"{privilege} on {target}" + (f".{column}" if column else "")


def _owner(target: Target, state: State) -> str | None:
    """Return who owns it and may; `pg_database_owner`, who owns `public`, is whoever owns the database."""
    owner = state.database_owner if target.kind == "DATABASE" else state.objects.get(target)
    owner = state.database_owner if owner == "pg_database_owner" else owner
    return None if owner in NAMES - {OWNER, AUDIT} else owner


def _declared(target: Target, privilege: str, column: str, role: str, wanted: frozenset[Right]) -> bool:
    columns = {"", column}
    return any(Right(target, group, privilege, one) in wanted for group in _GROUPS[role] for one in columns)


def _on_what_comes(state: State, declaration: Declaration, wanted: frozenset[Right]) -> Iterator[Cell]:
    """Yield what each role may do with what will be made: rights given everywhere count in each schema."""
    held = {one.right for one in state.rights}
    for maker in state.makers:
        for schema in declaration.schemas:
            for kind, privileges in _LATER.items():
                here, anywhere = Target(kind, (maker, schema)), Target(kind, (maker, ""))
                for privilege in privileges:
                    for role, groups in _GROUPS.items():
                        declared = _declared(here, privilege, "", role, wanted)
                        actual = any(Right(one, by, privilege) in held for one in (here, anywhere) for by in (*groups, PUBLIC))
                        is_maker = maker in groups
                        yield Cell(f"{privilege} on {here}", role, declared or is_maker, actual or is_maker)


def _elsewhere(state: State, declaration: Declaration, wanted: frozenset[Right]) -> Iterator[Cell]:
    """Yield the rights on the server's own functions and on other databases: those declared, and those held all the same."""
    held = {one.right for one in state.rights}
    extra = {one.right for one in undeclared(state, declaration, wanted)} - wanted
    for right in sorted({*wanted, *extra}):
        for role, groups in _GROUPS.items():
            if right.grantee in {*groups, PUBLIC}:
                operation = _operation(right.target, right.privilege, right.column)
                yield Cell(operation, role, right in wanted, right in held)


def _owning(state: State) -> Iterator[Cell]:
    for target, owner in state.misowned.items():
        yield from (Cell(f"own {target}", role, False, True) for role, groups in _GROUPS.items() if owner in groups)


def _attributes(state: State, declaration: Declaration) -> Iterator[Cell]:
    for wanted in declaration.roles:
        found = state.roles.get(wanted.name, Role(wanted.name))
        for field, words in _ATTRIBUTES.items():
            yield Cell(words, wanted.name, getattr(wanted, field), getattr(found, field))


def _becoming(state: State) -> Iterator[Cell]:
    """Yield who may become whom; before PostgreSQL 16 every member may."""
    wanted = {(one.group, one.member): one.may_become for one in MEMBERSHIPS}
    found = {(one.group, one.member) for one in state.memberships if one.may_become}
    for group in (role.name for role in ROLES if not role.can_login):
        for role in ROLES:
            if role.name != group:
                declared = wanted.get((group, role.name), False)
                is_unavoidable = (group, role.name) in wanted and not state.has_grant_options
                yield Cell(f"become {group}", role.name, declared or is_unavoidable, (group, role.name) in found)


def _borrowing(state: State) -> Iterator[Cell]:
    """Yield who has the rights of groups that are not ours, and who may take others into a group."""
    wanted = {(one.group, one.member) for one in MEMBERSHIPS if one.group not in NAMES}
    found = {(one.group, one.member) for one in state.memberships if one.member in NAMES and one.group not in NAMES}
    for group, member in sorted(wanted | found):
        yield Cell(f"act as {group}", member, (group, member) in wanted, (group, member) in found)
    for one in state.memberships:
        if one.member in NAMES and one.is_admin:
            yield Cell(f"take others into {one.group}", one.member, False, True)
