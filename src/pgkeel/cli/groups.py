"""Groups of commands: their help says what each does in whole sentences, and what is not typed need not be imported."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

__all__ = ["Group", "LazyGroup"]

_WHOLE = 1000  # characters: more than any first sentence has


class Group(click.Group):
    """A group whose help wraps the first sentence of each command instead of cutting it off."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what they do."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(_WHOLE)) for name, command in commands if command])


class LazyGroup(Group):
    """A group that knows its commands by the places where they are defined, so that one does not wait for all the others.

    Its help imports them all, unless it was told what they do.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's
        places: Mapping[str, str] | None = None,
        summaries: Mapping[str, str] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Remember where commands are.

        Args:
            *args: Of a click group.
            places: `module:attribute` of each command, in the order of the help.
            summaries: What each does, in a line; known without importing it.
            **kwargs: Of a click group.
        """
        super().__init__(*args, **kwargs)
        self._places = places or {}
        self._summaries = summaries or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were given."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None."""
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name].partition(":")
        with _nothing_collected():
            command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one is meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as err:
            raise click.exceptions.NoSuchCommand(err.command_name, possibilities=self._places, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, without importing them where their summaries are known."""
        if not self._summaries:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Let imports make their many lasting objects without a search for garbage among them: a seventh of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
