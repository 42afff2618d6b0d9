"""`pgkeel url` and `pgkeel psql`: the address of the database, and a shell on it."""

import json
import shlex

import click

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.core.url import Url
from pgkeel.security import ROLE_WORDS, RoleWord
from pgkeel.stack import login_url
from pgkeel.stack.shell import environment_of, run_psql

__all__ = ["psql", "url"]


@click.command()
@click.option("--role", type=click.Choice(ROLE_WORDS), default="app", show_default=True, help="Who logs in.")
@click.option(
    "-o",
    "output",
    type=click.Choice(["url", "env", "json"]),
    default="url",
    show_default=True,
    help='One URL, shell variables (`eval "$(pgkeel url -o env)"`), or a JSON object.',
)
@click.option("--reveal", is_flag=True, help="Put the password into it. Without it the address names a password file.")
@answers
def url(role: RoleWord, output: str, *, reveal: bool) -> Answer:
    """Print the address of the database, ready for libpq, psycopg and asyncpg.

    It holds no password: `passfile` names the file that does.
    """
    found = login_url(current_project(), role, reveal=reveal)
    shown = found if reveal else found.without_password()
    return Answer(_data(role, shown), _text(shown, role, output))


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--role", type=click.Choice(ROLE_WORDS), default="owner", show_default=True, help="Who logs in.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
def psql(role: RoleWord, arguments: tuple[str, ...]) -> None:
    """Open psql on the database; every other argument goes to psql.

    For example: pgkeel psql -c "SELECT version()"
    """
    raise SystemExit(run_psql(current_project(), role, arguments))


def _data(role: str, found: Url) -> dict[str, object]:
    place = {"host": found.host, "port": found.port, "database": found.database, "user": found.user}
    return {"url": found.reveal(), "role": role, **place, "options": dict(found.options)}


def _text(found: Url, role: str, output: str) -> str:
    match output:
        case "env":
            variables = {"DATABASE_URL": found.reveal(), **environment_of(found)}
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
        case "json":
            return json.dumps(_data(role, found))
        case _:
            return found.reveal()
