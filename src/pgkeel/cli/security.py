"""`pgkeel security`: who may do what."""

from contextlib import closing

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.groups import Group
from pgkeel.cli.security_audit import audit
from pgkeel.cli.security_encrypt import decrypt, encrypt
from pgkeel.cli.security_exposure import at_rest_command, exposure, updates
from pgkeel.cli.security_keys import find, keys
from pgkeel.cli.security_rotate import rotate
from pgkeel.cli.security_tls import tls
from pgkeel.core.project import Project
from pgkeel.core.telling import counted
from pgkeel.postgres import Connection
from pgkeel.security.roles import Applied, Plan, plan_for
from pgkeel.security.roles import apply as apply_statements
from pgkeel.security.roles import matrix as cells_of
from pgkeel.stack.connection import connect
from pgkeel.stack.declared import declaration_of

__all__ = ["security"]


@click.group(cls=Group)
def security() -> None:
    """Roles and rights, the audit log, TLS, encryption, ways in, updates."""


for command in (audit, tls, exposure, updates, at_rest_command, decrypt, encrypt, find, keys):
    security.add_command(command)


@security.group()
def roles() -> None:
    """Compare roles and rights with what `pgkeel.toml` declares, and make them so; new passwords."""


roles.add_command(rotate)


@roles.command()
@answers
def plan() -> Answer:
    """Print the statements that lie between the server and the declaration; exit 1 when there are any."""
    project = current_project()
    with closing(_connect(project, "plan")) as connection:
        found = plan_for(connection, declaration_of(project))
    shown = [statement.plain for statement in found.statements]
    return Answer(_data(found), "\n".join(f"{text};" for text in shown) + _reported(found), int(bool(shown)))


@roles.command()
@click.option("--exclusive", is_flag=True, help="Revoke what other roles hold in the declared schemas too; printed first.")
@click.option("--dry-run", is_flag=True, help="Print what would run; write nothing.")
@answers
def apply(*, exclusive: bool, dry_run: bool) -> Answer:
    """Make roles and rights as declared, in one transaction; exit 1 when this login could not do all of it."""
    project = current_project()
    with closing(_connect(project, "apply")) as connection:
        found = plan_for(connection, declaration_of(project))
        statements = (*found.statements, *(found.others if exclusive else ()))
        if exclusive:
            _tell_others(found)
        if dry_run:
            done = Applied(tuple(statement.plain for statement in statements))
        else:
            done = apply_statements(connection, statements)
    data = {"dry_run": dry_run, "exclusive": exclusive, **msgspec.to_builtins(done)}
    return Answer(data, _applied(done, dry_run=dry_run), int(bool(done.not_done)))


@roles.command()
@answers
def matrix() -> Answer:
    """Compare every operation of every role with the declaration; exit 1 when one differs."""
    project = current_project()
    with closing(_connect(project, "matrix")) as connection:
        cells = cells_of(connection, declaration_of(project))
    wrong = [cell for cell in cells if cell.declared != cell.actual]
    lines = [f"{cell.role} {'may not' if cell.declared else 'may'}: {cell.operation}" for cell in wrong]
    text = "\n".join([*lines, f"{counted(len(cells), 'cell')}, {counted(len(wrong), 'mismatch', 'mismatches')}"])
    return Answer({"cells": msgspec.to_builtins(cells), "mismatches": len(wrong)}, text, int(bool(wrong)))


def _connect(project: Project, verb: str) -> Connection:
    return connect(project, "superuser", application=f"pgkeel security roles {verb}")


def _data(found: Plan) -> dict[str, object]:
    return {
        "statements": [statement.plain for statement in found.statements],
        "others": [statement.plain for statement in found.others],
        "outside": list(found.outside),
    }


def _reported(found: Plan) -> str:
    lines = [f"-- held by others, `roles apply --exclusive` would run: {statement.plain}" for statement in found.others]
    lines += [f"-- in no declared schema: {text}" for text in found.outside]
    text = "\n".join(lines) if found.statements or lines else "-- everything is as declared"
    return f"\n{text}" if found.statements and text else text


def _tell_others(found: Plan) -> None:
    talk(f"revoking {counted(len(found.others), 'right')} of other roles:")
    for statement in found.others:
        talk(f"  {statement.plain}")


def _applied(done: Applied, *, dry_run: bool) -> str:
    lines = [f"{text};" for text in done.statements] if dry_run else [counted(len(done.statements), "statement")]
    if not done.statements and not done.not_done:
        return "-- everything is as declared"
    return "\n".join([*lines, *(f"not done: {one.statement} ({one.reason})" for one in done.not_done)])
