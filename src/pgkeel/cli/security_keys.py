"""`pgkeel security keys` and `find`: the keys of encrypted columns, and rows by a value that nobody else should read."""

import sys
from contextlib import closing

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.errors import UsageError
from pgkeel.core.telling import counted
from pgkeel.security import keys as ring_of_keys
from pgkeel.security.keys import Rotated, WrappedKey, provider_from
from pgkeel.stack.connection import connect
from pgkeel.stack.erasure import erase_person
from pgkeel.stack.holders import holders
from pgkeel.stack.keys import field_of, fields_of, key_provider, opened_ring, prepared_provider

__all__ = ["find", "keys"]

_KEY = click.argument("key", type=click.IntRange(min=1))
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, or why it would be refused; write nothing.")
_APPLICATION = "pgkeel security keys"


@click.group(cls=Group)
def keys() -> None:
    """Add, rotate and destroy the keys of encrypted columns."""


@keys.command()
@answers
def status() -> Answer:
    """Show every key, its state, and how many values of the database it sealed."""
    with closing(connect(current_project(), "owner", application=_APPLICATION)) as connection:
        known, rows = ring_of_keys.keys_of(connection), ring_of_keys.rows_by_key(connection)
    shown = [{"id": key.id, "state": key.state, "rows": rows.get(key.id, 0), "provider": key.provider} for key in known]
    text = "\n".join(f"{key['id']:>4}  {key['state']:<9}  {key['rows']:>12,} rows  {key['provider']}" for key in shown)
    return Answer({"keys": shown}, text or "there is no key: `pgkeel security keys add` makes one")


@keys.command()
@_DRY_RUN
@answers
def add(*, dry_run: bool) -> Answer:
    """Add a key; it seals once it is activated, when every process has read it. The first one seals at once."""
    project = current_project()
    with (
        closing(connect(project, "owner", application=_APPLICATION)) as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        found = ring_of_keys.add(connection, prepared_provider(project, connection))
    return _one(found, dry_run=dry_run)


@keys.command()
@_KEY
@_DRY_RUN
@answers
def activate(key: int, *, dry_run: bool) -> Answer:
    """Let a pending KEY seal from now on; `rotate` then seals anew what the one before it sealed."""
    project = current_project()
    with (
        closing(connect(project, "owner", application=_APPLICATION)) as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        found = ring_of_keys.activate(connection, key, refresh=project.config.security.key_refresh)
    return _one(found, dry_run=dry_run)


@keys.command()
@_DRY_RUN
@answers
def rotate(*, dry_run: bool) -> Answer:
    """Seal by the active key whatever another one sealed, beside the application; killed, it goes on when it is run again."""
    project = current_project()
    with opened_ring(project, _APPLICATION) as (connection, ring):
        if dry_run:
            rows = ring_of_keys.rows_by_key(connection)
            left = sum(count for key, count in rows.items() if key != ring.active)
            return Answer({"dry_run": True, "rows": left}, f"would seal {counted(left, 'value')} anew")
        done = ring_of_keys.rotate(connection, ring, fields_of(project))
    return Answer({"dry_run": False, "fields": msgspec.to_builtins(done)}, "\n".join(_rotated(each) for each in done))


@keys.command()
@_KEY
@_DRY_RUN
@answers
def retire(key: int, *, dry_run: bool) -> Answer:
    """Let KEY only open from now on; refused while a row was not rotated."""
    project = current_project()
    with opened_ring(project, _APPLICATION) as (connection, ring):
        refresh = project.config.security.key_refresh
        found = ring_of_keys.retire(connection, ring, key, fields_of(project), refresh=refresh, dry_run=dry_run)
    return _one(found, dry_run=dry_run)


@keys.command()
@_KEY
@_DRY_RUN
@answers
def destroy(key: int, *, dry_run: bool) -> Answer:
    """Forget a retired KEY for ever; refused while a row, an audit partition or a kept backup needs it."""
    project = current_project()
    with opened_ring(project, _APPLICATION) as (connection, ring), holders(project, _APPLICATION) as (_, keepers):
        refresh, fields = project.config.security.key_refresh, fields_of(project)
        found = ring_of_keys.destroy(connection, ring, key, fields, holders=keepers, refresh=refresh, dry_run=dry_run)
    return _one(found, dry_run=dry_run)


@keys.command("erase")
@click.argument("subject")
@_DRY_RUN
@answers
def erase_command(subject: str, *, dry_run: bool) -> Answer:
    """Forget the key of one person for ever: of whom SUBJECT is the id, nothing opens any more, in the audit log neither."""
    done = erase_person(current_project(), subject, dry_run=dry_run)
    lines = [f"{each.field}: {counted(each.rows, 'row')}" for each in done]
    text = "\n".join([*lines, "nothing was written" if dry_run else "the person's key is gone"])
    return Answer({"dry_run": dry_run, "subject": subject, "fields": msgspec.to_builtins(done)}, text)


@keys.command()
@click.option(
    "--to", "reference", metavar="REFERENCE", required=True, help="env:NAME or file:PATH of the key that wraps from now on."
)
@_DRY_RUN
@answers
def rewrap(reference: str, *, dry_run: bool) -> Answer:
    """Let another key-encryption key wrap every key; then set [security] key to it. No row is touched."""
    project = current_project()
    with (
        closing(connect(project, "owner", application=_APPLICATION)) as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        count = ring_of_keys.rewrap(connection, key_provider(project), provider_from(reference, project.root))
    text = f"{'would wrap' if dry_run else 'wrapped'} {counted(count, 'key')} by {reference}"
    return Answer({"dry_run": dry_run, "keys": count}, text)


@click.command()
@click.argument("column", metavar="TABLE.COLUMN")
@answers
def find(column: str) -> Answer:
    """Print the ids of the rows whose TABLE.COLUMN holds a value; it is read from stdin, or asked for without echo."""
    project = current_project()
    field, text = field_of(project, column), _value()
    with opened_ring(project, "pgkeel security find") as (connection, ring):
        ids = [str(key) for key in ring_of_keys.find(connection, ring, field, text)]
    return Answer({"ids": ids}, "\n".join(ids) or "no row", int(not ids))


def _value() -> str:
    """Return the value that is looked for; never an argument, for those are seen in the list of processes."""
    if sys.stdin.isatty():
        text: str = click.prompt("value", hide_input=True, err=True)
        return text
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise UsageError("there is no value on stdin", hint="echo VALUE | pgkeel security find TABLE.COLUMN")
    return text


def _one(key: WrappedKey, *, dry_run: bool) -> Answer:
    text = f"key {key.id}: nothing stands in the way, nothing was written" if dry_run else f"key {key.id} is {key.state}"
    return Answer({"dry_run": dry_run, "key": {"id": key.id, "state": key.state}}, text)


def _rotated(done: Rotated) -> str:
    return f"{done.field}: {counted(done.rows, 'row')}"
