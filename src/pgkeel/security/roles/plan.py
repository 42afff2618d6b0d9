"""From what is and what is declared to the statements that lie between: a pure function."""

from collections.abc import Iterator

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.postgres import Connection, Query, load
from pgkeel.security.names import AUDIT, OWNER
from pgkeel.security.roles import statements
from pgkeel.security.roles.declaration import MEMBERSHIPS, NAMES, OURS, ROLES, Declaration
from pgkeel.security.roles.rights import PUBLIC, Held, Membership, Right, Role
from pgkeel.security.roles.state import State, read_state
from pgkeel.security.roles.wanted import is_shipped, wanted_rights

__all__ = ["Plan", "plan", "plan_for", "plan_roles", "undeclared"]


class Plan(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        statements: In the order in which they run; none where everything is as declared.
        others: What `--exclusive` would take from roles that are not ours, and from PUBLIC where somebody else logs in.
        outside: Rights of our roles in schemas that are not declared and on what lies in none, in words; nothing touches them.
    """

    statements: tuple[Query, ...]
    others: tuple[Query, ...] = ()
    outside: tuple[str, ...] = ()


def plan(state: State, declaration: Declaration, *, keeps_extra: bool = False) -> Plan:
    """Return everything: roles, memberships, schemas, rights, and rights on what is made later.

    Args:
        state: What is.
        declaration: What is to be.
        keeps_extra: Whether our roles keep what is not declared; PUBLIC loses it all the same.
    """
    wanted = wanted_rights(state, declaration)
    held = {one.right for one in state.rights}
    extra = _extra(state, wanted)
    in_scope = [one for one in extra if _is_in_scope(one, declaration)]
    taken = [one for one in undeclared(state, declaration, wanted) if not keeps_extra or one.right.grantee == PUBLIC]
    given = sorted(wanted - held)
    return Plan(
        (
            *plan_roles(state, declaration).statements,
            *_schemas(state),
            *statements.revokes(taken, wanted),
            *(_owners(state) if not keeps_extra else ()),
            *statements.grants(given),
        ),
        (*_foreign_members(state), *statements.revokes(_of_others(in_scope, state, declaration), frozenset())),
        (*(_said(one) for one in extra if one.right.grantee in NAMES and one not in in_scope), *state.beyond),
    )


def undeclared(state: State, declaration: Declaration, wanted: frozenset[Right]) -> list[Held]:
    """Return what is held, is not declared (or may be passed on), and is ours to revoke."""
    return [one for one in _extra(state, wanted) if _is_in_scope(one, declaration) and _is_ours(one, state, declaration)]


def _extra(state: State, wanted: frozenset[Right]) -> list[Held]:
    return [one for one in state.rights if (one.right not in wanted or one.is_grantable) and not is_shipped(one.right)]


def plan_for(connection: Connection, declaration: Declaration) -> Plan:
    """Return the plan for the connected database.

    Raises:
        ConfigError: The declaration names a schema, a table or a column that is not there.
    """
    state = read_state(connection, declaration)
    _require_declared(state, declaration)
    _require_columns(connection, declaration, state.database)
    return plan(state, declaration)


def plan_roles(state: State, declaration: Declaration) -> Plan:
    """Return what concerns the whole server: roles, memberships, settings."""
    return Plan((*_roles(state, declaration), *_memberships(state), *_settings(state)))


def _require_declared(state: State, declaration: Declaration) -> None:
    there = {target.names for target in state.objects if target.kind in {"SCHEMA", "TABLE"}}
    tables = [table for exceptions in declaration.tables.values() for table in exceptions]
    missing = [name for name in (*((schema,) for schema in declaration.schemas), *tables) if name not in there]
    _require_nothing_missing([".".join(name) for name in missing], state.database)


def _require_columns(connection: Connection, declaration: Declaration, database: str) -> None:
    named = {
        (*table, column)
        for exceptions in declaration.tables.values()
        for table, rights in exceptions.items()
        for _, column in rights
        if column
    }
    if named:
        schemas, tables, columns = map(list, zip(*sorted(named), strict=True))
        missing = load(__name__, "columns_missing").rows(connection, schemas=schemas, tables=tables, columns=columns)
        _require_nothing_missing([row["name"] for row in missing], database)


def _require_nothing_missing(names: list[str], database: str) -> None:
    if names:
        raise ConfigError(
            f"[security] names {', '.join(names)}, which is not in {database}", hint="correct pgkeel.toml, or migrate first"
        )


def _roles(state: State, declaration: Declaration) -> Iterator[Query]:
    for wanted in declaration.roles:
        found = state.roles.get(wanted.name)
        before = found or Role(wanted.name, can_login=False, inherits=True)
        if found is None:
            yield statements.create_role(wanted.name)
        changed = statements.attributes(before, wanted)
        if changed:
            yield statements.alter_role(wanted.name, changed)


def _memberships(state: State) -> Iterator[Query]:
    wanted = {(one.group, one.member): one for one in MEMBERSHIPS}
    satisfied = set()
    for found in state.memberships:
        key = (found.group, found.member)
        if key in wanted and _satisfies(found, wanted[key], state):
            satisfied.add(key)
        elif found.member in NAMES:
            yield statements.leave(found, has_grant_options=state.has_grant_options)
    for key, one in sorted(wanted.items()):
        if key not in satisfied:
            yield statements.join(one, has_grant_options=state.has_grant_options)


def _satisfies(found: Membership, wanted: Membership, state: State) -> bool:
    if found.is_admin or not state.has_grant_options:
        return not found.is_admin
    return (found.inherits, found.may_become) == (wanted.inherits, wanted.may_become)


def _settings(state: State) -> Iterator[Query]:
    for role in ROLES:
        found = state.roles.get(role.name)
        kept = found.settings if found else {}
        yield from (
            statements.setting(role.name, name, value) for name, value in role.settings.items() if kept.get(name) != value
        )


def _owners(state: State) -> Iterator[Query]:
    """Yield what gives things to those who may own: in the schema `audit` its owner, elsewhere ours."""
    yield from (statements.owned_by(target, AUDIT if target.schema == "audit" else OWNER) for target in state.misowned)


def _schemas(state: State) -> Iterator[Query]:
    there = {target.names[0] for target in state.objects if target.kind == "SCHEMA"}
    yield from (statements.create_schema(name, owner) for name, owner in OURS.items() if name not in there)


def _is_in_scope(one: Held, declaration: Declaration) -> bool:
    schema = one.right.target.schema
    if one.right.target.is_later and schema is None:
        return True
    return schema is None or schema in declaration.all_schemas or schema in {"pg_catalog", "information_schema"}


def _is_ours(one: Held, state: State, declaration: Declaration) -> bool:
    """Return whether it is ours to revoke: our roles' always; PUBLIC's where nobody else logs in who might live by it."""
    if one.right.grantee == PUBLIC:
        return declaration.owns_server or not state.has_foreign_logins
    return one.right.grantee in NAMES


def _of_others(extra: list[Held], state: State, declaration: Declaration) -> list[Held]:
    return [
        one
        for one in extra
        if not _is_ours(one, state, declaration) and (one.right.grantee == PUBLIC or state.is_foreign(one.right.grantee))
    ]


def _foreign_members(state: State) -> Iterator[Query]:
    for found in state.memberships:
        if found.group in NAMES and state.is_foreign(found.member):
            yield statements.leave(found, has_grant_options=state.has_grant_options)


def _said(one: Held) -> str:
    column = f" ({one.right.column})" if one.right.column else ""
    return f"{one.right.grantee} may {one.right.privilege}{column} on {one.right.target}"
