"""The root command. Nouns are loaded when they are typed, so that `pgkeel --help` stays quick."""

import sys

import click

from pgkeel import __version__
from pgkeel.cli.answer import run_and_exit
from pgkeel.cli.groups import LazyGroup
from pgkeel.cli.interrupts import hear_interrupts

__all__ = ["COMMANDS", "main", "root"]

# name → (module, attribute, what it does): the list of `pgkeel --help`, without importing any of them
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("pgkeel.cli.up", "up", "Start PostgreSQL, Valkey and the agent; apply migrations."),
    "down": ("pgkeel.cli.up", "down", "Stop what `up` started; the data stays."),
    "status": ("pgkeel.cli.up", "status", "Show what runs, where, and which migrations are applied."),
    "reset": ("pgkeel.cli.up", "reset", "Stop and delete the embedded stack's data."),
    "url": ("pgkeel.cli.url", "url", "Print the address of the database."),
    "psql": ("pgkeel.cli.url", "psql", "Open psql on the database."),
    "init": ("pgkeel.cli.init", "init", "Scaffold a project: pgkeel.toml, migrations/, CI."),
    "doctor": ("pgkeel.cli.doctor", "doctor", "Tell whether this machine can run the stack."),
    "config": ("pgkeel.cli.config", "config", "Show settings and where each came from."),
    "local": ("pgkeel.cli.local", "local", "Add PostgreSQL majors to the embedded stack."),
    "migrate": ("pgkeel.cli.migrate", "migrate", "Create, apply, revert and inspect migrations."),
    "schema": ("pgkeel.cli.schema", "schema", "Show and draw the schema; write row classes."),
    "security": ("pgkeel.cli.security", "security", "Roles and rights, the audit log, TLS, encryption, ways in, updates."),
    "backup": ("pgkeel.cli.backup", "backup", "Take, list, check, drill, keep and prune backups."),
    "recover": ("pgkeel.cli.recover", "recover", "Bring the database, or rows of it, back to a point."),
    "scale": ("pgkeel.cli.scale", "scale", "Partitions."),
    "explain": ("pgkeel.cli.explain", "explain", "Show the plan of a statement, and what is wrong with it."),
    "cache": ("pgkeel.cli.cache", "cache", "Show or flush the cache."),
    "agent": ("pgkeel.cli.agent", "agent", "Run the agent, or show what it does."),
}


@click.group(
    cls=LazyGroup,
    places={name: f"{module}:{attribute}" for name, (module, attribute, _) in COMMANDS.items()},
    summaries={name: summary for name, (_, _, summary) in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="pgkeel")
@click.option("-C", "--project", "folder", type=click.Path(file_okay=False), help="Work on the project in this folder.")
@click.pass_context
def root(context: click.Context, folder: str | None) -> None:
    """A production PostgreSQL: schema, migrations, data access, backups, monitoring, security."""
    context.obj = folder


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that ARCHITECTURE.md promises."""
    hear_interrupts()
    run_and_exit(root, sys.argv[1:] if arguments is None else arguments)
