"""What several verbs of `pgkeel migrate` are told in the same words."""

from collections.abc import Sequence

import click
import msgspec

from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.migrations import Options, Source, project_sources

__all__ = ["DATA_LOSS", "DRY_RUN", "OUT_OF_ORDER", "SOURCE", "TO", "chosen_sources", "options_of"]

SOURCE = click.option("--source", "name", metavar="NAME", help="Only this source: pgkeel, reference or app.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would run; write nothing.")
DATA_LOSS = click.option("--allow-data-loss", is_flag=True, help="Revert although tables or columns with rows go.")
OUT_OF_ORDER = click.option("--allow-out-of-order", is_flag=True, help="Apply files that are older than the newest applied one.")
TO = click.option("--to", metavar="VERSION", help="The last version to apply.")


def chosen_sources(project: Project, name: str | None) -> Sequence[Source]:
    """Return the sources of a project, or the one that is named."""
    known = project_sources(project)
    chosen = [source for source in known if name in {None, source.name}]
    if not chosen:
        raise UsageError(f"there is no source {name}", hint=f"the sources are {', '.join(source.name for source in known)}")
    return chosen


def options_of(project: Project, **given: object) -> Options:
    """Return the project's options with those of the command line."""
    return msgspec.structs.replace(Options.of(project.config.migrations), **given)
