"""`pgkeel security roles rotate`: new passwords, without a moment in which nobody gets in."""

from pathlib import Path

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.core.telling import counted
from pgkeel.core.units import parse_duration
from pgkeel.security.roles.rotation import Turn
from pgkeel.stack.rotation import ROTATED, rotate_passwords

__all__ = ["rotate"]


@click.command()
@click.argument("roles", metavar="[ROLE]...", nargs=-1, type=click.Choice(ROTATED))
@click.option("--grace", metavar="DURATION", default="1h", show_default=True, help="How long the old password still opens.")
@click.option(
    "--now", "is_urgent", is_flag=True, help="Somebody else knows a password: give no grace, and end that of the last one."
)
@click.option(
    "--passfile",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The password file of the one ROLE's services, where the database is external.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@answers
def rotate(roles: tuple[str, ...], grace: str, passfile: Path | None, *, is_urgent: bool, dry_run: bool) -> Answer:
    """Give new passwords to the logins of app, readonly, owner, monitor and backup, or of the ROLEs named.

    Services of app and readonly move to the other login of the pair: `pgkeel url` and the password file name it. The old one
    gets in for the grace, so start services anew within it; sessions that are open stay.
    """
    done = rotate_passwords(
        current_project(),
        roles,
        passfile=passfile,
        grace=parse_duration("0s" if is_urgent else grace),
        is_urgent=is_urgent,
        dry_run=dry_run,
        report=talk,
    )
    data = {"dry_run": dry_run, "roles": msgspec.to_builtins(done)}
    return Answer(data, "\n".join(_line(each, dry_run=dry_run) for each in done))


def _line(done: Turn, *, dry_run: bool) -> str:
    verb, then = ("would get", "would be in use") if dry_run else ("has", "is in use")
    if done.previous is None:
        return f"{done.role}: {done.login} {verb} a new password"
    end = f"{done.previous} ({counted(done.sessions, 'session')}) gets in until {done.valid_until:%Y-%m-%d %H:%M:%S %Z}"
    match done.step:
        case "switch":
            return f"{done.role}: {done.login} {verb} a new password and {then}; {end}"
        case "finish":
            return f"{done.role}: {done.login} is in use since a rotation that did not finish; {end}"
        case _:
            return f"{done.role}: nothing to do, {done.login} is in use since the last rotation; {end} (--now cuts it off)"
