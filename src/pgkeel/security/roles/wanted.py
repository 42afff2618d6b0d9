"""The rights that the declaration amounts to on what the server has now and will have."""

from collections.abc import Iterator, Mapping

from pgkeel.security.names import AUDIT, AUDITOR, BACKUP, MONITOR, OWNER, READERS, WRITERS
from pgkeel.security.roles.declaration import OURS, SYSTEM_RIGHTS, Declaration
from pgkeel.security.roles.rights import Right, Target
from pgkeel.security.roles.state import State

__all__ = ["is_shipped", "wanted_rights"]

_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE")
_ENTER = ("pgkeel_migrator", WRITERS, READERS, MONITOR, BACKUP, AUDITOR)
_READS_AUDIT = ("chained", "changed", "differ", "digest_of", "shape_of")  # functions that the log's views and its proof call
_MAKES_PARTS = ("_parts_insert", "_parts_update", "_parts_delete")  # what a partition's triggers call, whoever owns its table
_USE = {"pgkeel": (WRITERS, MONITOR), "audit": (AUDITOR,)}
_KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # kind → group → privileges, in the team's schemas
    "TABLE": {WRITERS: _WRITES, READERS: ("SELECT",)},
    "SEQUENCE": {WRITERS: ("USAGE", "SELECT"), READERS: ("SELECT",)},
    "ROUTINE": {WRITERS: ("EXECUTE",)},
}


def wanted_rights(state: State, declaration: Declaration) -> frozenset[Right]:
    """Return every right that our roles and PUBLIC are to hold, and no other."""
    return frozenset(
        [
            *_on_databases(state, declaration),
            *_on_schemas(state, declaration),
            *_on_objects(state, declaration),
            *_on_the_system(state),
            *_on_later_ones(state, declaration),
        ]
    )


def is_shipped(right: Right) -> bool:
    """Return whether our own migrations gave it, or the audit log: they alone know what they keep in their schemas."""
    target = right.target
    if _is_for_parts(target):
        return True
    return target.schema == "pgkeel" and target.kind != "SCHEMA" and right.grantee in _USE["pgkeel"]


def _is_for_parts(target: Target) -> bool:
    return target.kind == "ROUTINE" and target.schema == "audit" and target.names[1].endswith(_MAKES_PARTS)


def _on_databases(state: State, declaration: Declaration) -> Iterator[Right]:
    yield from (Right(Target("DATABASE", (state.database,)), role, "CONNECT") for role in _ENTER)
    if declaration.owns_server:
        yield Right(Target("DATABASE", ("postgres",)), MONITOR, "CONNECT")


def _on_schemas(state: State, declaration: Declaration) -> Iterator[Right]:
    there = {target.names[0] for target in state.objects if target.kind == "SCHEMA"} | set(OURS)
    for schema in declaration.all_schemas:
        if schema in there:
            yield from (Right(Target("SCHEMA", (schema,)), role, "USAGE") for role in _USE.get(schema, (WRITERS, READERS)))


def _on_objects(state: State, declaration: Declaration) -> Iterator[Right]:
    for target in state.objects:
        if target.kind == "TABLE" and target.schema == "audit":
            yield Right(target, AUDITOR, "SELECT")
        elif target.kind == "ROUTINE" and target.schema == "audit" and target.names[1] in _READS_AUDIT:
            yield Right(target, AUDITOR, "EXECUTE")
        elif _is_for_parts(target):
            yield Right(target, OWNER, "EXECUTE")
        elif target.kind == "ROUTINE" and target.schema == "pgkeel" and target.names[1].startswith(("outbox_", "once_")):
            yield Right(target, WRITERS, "EXECUTE")
        elif target.schema in declaration.schemas:
            yield from _on_object(target, declaration)


def _on_object(target: Target, declaration: Declaration) -> Iterator[Right]:
    for group, usual in _KINDS.get(target.kind, {}).items():
        privileges = tuple((privilege, "") for privilege in usual)
        if target.kind == "TABLE":
            privileges = declaration.tables.get(group, {}).get((target.names[0], target.names[1]), privileges)
        yield from (Right(target, group, privilege, column) for privilege, column in privileges)


def _on_the_system(state: State) -> Iterator[Right]:
    for kind, name, role, privilege in SYSTEM_RIGHTS:
        if kind == "TABLE":
            yield Right(Target(kind, ("pg_catalog", name)), role, privilege)
        found = (target for target in state.objects if target.kind == kind and target.names == ("pg_catalog", name))
        yield from (Right(target, role, privilege) for target in found)


def _on_later_ones(state: State, declaration: Declaration) -> Iterator[Right]:
    there = {target.names[0] for target in state.objects if target.kind == "SCHEMA"}
    for maker in state.makers:
        for schema in (schema for schema in declaration.schemas if schema in there):
            for kind, groups in _KINDS.items():
                later = Target(f"{kind}S", (maker, schema))
                yield from (Right(later, group, privilege) for group, given in groups.items() for privilege in given)
    yield Right(Target("TABLES", (AUDIT, "audit")), AUDITOR, "SELECT")
