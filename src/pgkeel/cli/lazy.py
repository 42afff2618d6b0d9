"""A group whose commands are imported when they are typed, so that one command does not wait for all the others."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group that knows its commands by the places where they are defined.

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
