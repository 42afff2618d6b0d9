"""Ask the repositories what they hold; one that does not answer keeps nobody from restoring from another."""

from collections.abc import Sequence

import msgspec

from pgkeel.backup import Record, read_catalogue
from pgkeel.backup.errors import RepositoryFailed, RepositoryUnreachable
from pgkeel.core.errors import KeelError
from pgkeel.core.repository import Repository

__all__ = ["Answering", "ask"]


class Answering(msgspec.Struct, frozen=True):
    """What was said.

    Attributes:
        repositories: Those that answer.
        records: Their finished backups; one that lies in several is there several times.
        warnings: Who did not answer, and why.
    """

    repositories: tuple[Repository, ...] = ()
    records: tuple[Record, ...] = ()
    warnings: tuple[str, ...] = ()


def ask(repositories: Sequence[Repository]) -> Answering:
    """Return what the repositories hold.

    Raises:
        RepositoryUnreachable: None answers.
        RepositoryFailed: None answers, and the first refuses.
    """
    answering, records, refusals = [], list[Record](), list[KeelError]()
    for repository in repositories:
        try:
            records += read_catalogue(repository).records
        except (RepositoryUnreachable, RepositoryFailed) as err:
            refusals.append(err)
        else:
            answering.append(repository)
    if refusals and not answering:
        raise refusals[0]
    warnings = (f"{err.message}: it is left out, and what only it holds is not seen" for err in refusals)
    return Answering(tuple(answering), tuple(records), tuple(warnings))
