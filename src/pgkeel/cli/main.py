"""The root command. Nouns are loaded when they are typed, so that `pgkeel --help` stays quick."""

import sys
from importlib import import_module

import click

from pgkeel import __version__
from pgkeel.cli.answer import run_and_exit

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
    "security": ("pgkeel.cli.security", "security", "Roles and rights, ways in, updates, encryption."),
    "backup": ("pgkeel.cli.backup", "backup", "Take, list, check, drill, keep and prune backups."),
    "recover": ("pgkeel.cli.recover", "recover", "Bring the database, or rows of it, back to a point."),
    "scale": ("pgkeel.cli.scale", "scale", "Partitions."),
    "cache": ("pgkeel.cli.cache", "cache", "Show or flush the cache."),
    "agent": ("pgkeel.cli.agent", "agent", "Run the agent, or show what it does."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the house."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pgkeel")
@click.option("-C", "--project", "folder", type=click.Path(file_okay=False), help="Work on the project in this folder.")
@click.pass_context
def root(context: click.Context, folder: str | None) -> None:
    """A production PostgreSQL: schema, migrations, data access, backups, monitoring, security."""
    context.obj = folder


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that ARCHITECTURE.md promises."""
    run_and_exit(root, sys.argv[1:] if arguments is None else arguments)
