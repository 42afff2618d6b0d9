"""How every command answers: data on stdout, talk on stderr, one JSON object under `--json`, one exit code.

0 fine · 1 findings or not healthy · 2 wrong usage or configuration · 3 unreachable · 4 refused for safety · 5 unexpected
"""

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec

from pgkeel.core.errors import KeelError, Refused, Unreachable, UsageError
from pgkeel.core.project import Project, load

__all__ = ["Answer", "answers", "confirm", "current_project", "require_yes", "run_and_exit", "talk"]

Command = TypeVar("Command", bound=Callable[..., Any])


class Answer(msgspec.Struct, frozen=True):
    """What a command found.

    Attributes:
        data: The `data` object of `--json`.
        text: What a person reads on stdout; "" prints nothing.
        exit_code: 0, or 1 for findings.
        error: What failed beside what `data` holds: `ok` is false then.
    """

    data: Any = None
    text: str = ""
    exit_code: int = 0
    error: KeelError | None = None


def answers(function: Callable[..., Answer]) -> Callable[..., None]:
    """Give a command `--json` and print its `Answer`."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")
    @functools.wraps(function)
    def command(*args: object, as_json: bool, **kwargs: object) -> None:
        answer = function(*args, **kwargs)
        if as_json:
            error = answer.error.as_dict() if answer.error else None
            _print_json({"ok": error is None, "data": answer.data, "error": error})
        else:
            _print(answer)
        raise SystemExit(answer.exit_code)

    return command


def _print(answer: Answer) -> None:
    if answer.text:
        click.echo(answer.text)
    if answer.error is not None:
        _print_error(answer.error, as_json=False)


def current_project(flags: Mapping[str, Any] | None = None) -> Project:
    """Return the project of `--project` or of the current folder."""
    folder = click.get_current_context().find_root().obj
    if folder is not None and not Path(folder).is_dir():
        raise UsageError(f"the project folder {folder} does not exist", hint="`pgkeel init FOLDER` makes one")
    return load(Path(folder) if folder else None, flags=flags)


def talk(text: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    click.echo(text, err=True)


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether to go on: `--yes`, or a person who says so. Without a terminal the answer is no."""
    if yes:
        return True
    return sys.stdin.isatty() and click.confirm(question, err=True)


def require_yes(*, yes: bool) -> None:
    """Let a verb that takes nothing away go on unasked at a terminal; elsewhere it takes `--yes`.

    Raises:
        Refused: There is no terminal, and nobody has said `--yes`.
    """
    if not yes and not sys.stdin.isatty():
        raise Refused("nothing was done: there is no terminal", hint="add --yes")


def run_and_exit(command: click.Command, arguments: list[str]) -> NoReturn:
    """Run a command and exit; no traceback reaches a user unless `PGKEEL_DEBUG` is set."""
    try:
        code = command.main(arguments, prog_name="pgkeel", standalone_mode=False)
    except (Exception, click.exceptions.Abort) as err:
        if os.environ.get("PGKEEL_DEBUG"):  # noqa: TID251 - a switch for developers, not a setting
            raise
        error = (
            _error_of(err) if not _is_no_text(err, arguments) else UsageError("an argument is no text", hint="write it in UTF-8")
        )
        _print_error(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _is_no_text(err: BaseException, arguments: list[str]) -> bool:
    """Return whether it is because of bytes in an argument that are not UTF-8, which Python hands over as lone surrogates."""
    return isinstance(err, UnicodeEncodeError) and any("\udc80" <= letter <= "\udcff" for each in arguments for letter in each)


def _error_of(err: BaseException) -> KeelError:
    match err:
        case KeelError():
            return err
        case click.exceptions.Abort():
            return UsageError("interrupted", hint="type the same command again; nothing is left half-done")
        case click.exceptions.NoArgsIsHelpError(ctx=click.Context(command=click.Group() as group) as context):
            verbs = ", ".join(group.list_commands(context))
            return UsageError(f"{context.command_path} is followed by one of: {verbs}", hint=_usage_hint(err))
        case click.ClickException():
            return UsageError(err.format_message(), hint=_usage_hint(err))
        case _ if "psycopg" in sys.modules:
            return _error_of_driver(err)
        case _:
            return _unexpected(f"{type(err).__name__}: {err}")


def _error_of_driver(err: BaseException) -> KeelError:
    import psycopg  # noqa: PLC0415 - 0.1 s of CPU that `--help` must not pay; it is loaded already when its error arrives

    from pgkeel.postgres import describe  # noqa: PLC0415

    if isinstance(err, psycopg.OperationalError):
        return Unreachable(f"the database went away: {describe(err)}", hint="`pgkeel status` shows what is running")
    if isinstance(err, psycopg.errors.InsufficientPrivilege):
        hint = "connect as a login that may, by [database] url; `pgkeel security roles plan` shows what is declared"
        return UsageError(f"the database does not allow it: {describe(err)}", hint=hint)
    return _unexpected(describe(err) if isinstance(err, psycopg.Error) else f"{type(err).__name__}: {err}")


def _unexpected(message: str) -> KeelError:
    return KeelError(message, hint="run it again with PGKEEL_DEBUG=1 to see where")


def _usage_hint(err: click.ClickException) -> str:
    context = getattr(err, "ctx", None)
    return f"`{context.command_path} --help` shows how" if context else "`pgkeel --help` lists the commands"


def _print_error(error: KeelError, *, as_json: bool) -> None:
    if as_json:
        _print_json({"ok": False, "data": None, "error": error.as_dict()})
        return
    click.secho(f"error: {error.message}", fg="red", err=True)
    if error.hint:
        click.secho(f"  → {error.hint}", err=True)


def _print_json(answer: Mapping[str, Any]) -> None:
    try:
        text = msgspec.json.format(msgspec.json.encode(answer, enc_hook=str), indent=2).decode()
    except UnicodeEncodeError:  # it tells of an argument whose bytes are not UTF-8; they are escaped
        text = json.dumps(msgspec.to_builtins(answer, enc_hook=str), indent=2)
    click.echo(text)
