"""`pgkeel explain`: what the server does for a statement, and what is wrong with it."""

from pathlib import Path

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.core.errors import UsageError
from pgkeel.security import ROLE_WORDS, RoleWord
from pgkeel.stack.connection import connect

__all__ = ["explain"]


@click.command()
@click.argument("statement", required=False, metavar="[SQL]")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read the statement from a file.")
@click.option("--stat", type=int, metavar="QUERYID", help="A statement that pg_stat_statements has seen, whatever its values.")
@click.option("--analyze", is_flag=True, help="Run it, in a read-only transaction, and count.")
@click.option("--rollback", is_flag=True, help="With --analyze: run a statement that writes, and undo it.")
@click.option("--role", type=click.Choice(ROLE_WORDS), default="app", show_default=True, help="Who asks.")
@answers
def explain(
    statement: str | None, file: Path | None, stat: int | None, role: RoleWord, *, analyze: bool, rollback: bool
) -> Answer:
    """Show the plan of a statement as a tree, and what is wrong with it in words; exit 1 when something is.

    Nothing that it does is kept. Sequences that it draws from go on, though, and so does what functions do outside.
    For example: pgkeel explain --analyze "SELECT * FROM posts WHERE title = 'x'"
    """
    from pgkeel.access import explain as library  # noqa: PLC0415 - `--help` does not need it

    _require_one(statement, file, stat)
    if rollback and not analyze:
        raise UsageError("--rollback undoes what --analyze runs", hint="add --analyze")
    if stat is not None and analyze:
        raise UsageError("a statement without its values cannot be run", hint="leave out --analyze, or type it with values")
    with connect(current_project(), role) as connection:
        if stat is not None:
            found = library.explain_stat(connection, stat)
        else:
            text = statement if file is None else file.read_text(encoding="utf-8")
            found = library.explain(connection, text or "", analyze="rollback" if rollback else analyze)
    return Answer(msgspec.to_builtins(found), str(found), 1 if found.flags else 0)


def _require_one(*given: object) -> None:
    if sum(each is not None for each in given) != 1:
        raise UsageError("explain takes one statement", hint="pgkeel explain 'SELECT …', --file FILE or --stat QUERYID")
