"""Load a Stack Exchange data dump: `python -m examples.stackexchange.load DIR [--url URL] [--site NAME] [--json]`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress as Bars

from examples.stackexchange.dump import find_file
from examples.stackexchange.loading import FILES, Loaded, Progress, load_dump
from pgkeel.access.sync import Database
from pgkeel.cli.answer import Answer, answers, run_and_exit
from pgkeel.core.project import load as load_project
from pgkeel.core.url import Url
from pgkeel.security.keys import follow
from pgkeel.stack import login_url
from pgkeel.stack.keys import key_provider

__all__ = ["database_url", "load"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--url", help="Address of the database; the project's own when it is not given.")
@click.option("--site", default="", help="Name of the site, part of every id; the folder's name when it is not given.")
@answers
def load(folder: Path, url: str | None, site: str) -> Answer:
    """Load a Stack Exchange data dump from DIR, all of it or nothing; again and again without a second copy of anything."""
    place = database_url(url)
    with follow(place, key_provider(load_project())) as keys, Database(place, keys=keys) as database, _bars(folder) as progress:
        loaded = load_dump(database, folder, site=site, progress=progress)
    return Answer(msgspec.to_builtins(loaded), _summary(loaded))


def database_url(given: str | None) -> Url:
    """Return the address that was given, or the one of the project's application login."""
    return Url.parse(given) if given else login_url(load_project(), "app")


@contextmanager
def _bars(folder: Path) -> Iterator[Progress]:
    """Show a bar a file on stderr, where a person looks at it."""
    with Bars(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        files = [find_file(folder, name) for name in FILES]
        tasks = {file: bars.add_task(file.name, total=file.stat().st_size) for file in files}
        yield lambda file, seen_bytes: bars.update(tasks[file], completed=seen_bytes)


def _summary(loaded: Loaded) -> str:
    lines = [f"{loaded.site}: {sum(loaded.read.values()):,} rows read"]
    lines += [f"  {count:>8,} new in {table}" for table, count in loaded.inserted.items()]
    if loaded.repeated_badges:
        lines.append(f"  {loaded.repeated_badges:>8,} badges were repeats of one that the user had")
    return "\n".join(lines)


if __name__ == "__main__":
    run_and_exit(load, sys.argv[1:])
