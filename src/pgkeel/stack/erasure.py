"""Erase one person, and again after a recovery to an older day: who was erased is written down outside of the database."""

from contextlib import closing, nullcontext
from pathlib import Path
from uuid import UUID

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.files import write_whole
from pgkeel.core.project import Project
from pgkeel.core.telling import Report, counted
from pgkeel.postgres import Connection
from pgkeel.security.keys import Erasure, erasable, erase, is_known
from pgkeel.stack.connection import connect
from pgkeel.stack.keys import fields_of

__all__ = ["erase_again", "erase_person", "erased_persons"]

_APPLICATION = "pgkeel security keys erase"
_LONGEST = 200


def erase_person(project: Project, subject: str, *, dry_run: bool) -> tuple[Erasure, ...]:
    """Forget a person's key and what the person's rows hold; the note comes first, so a kill in between is made good by `up`.

    Raises:
        UsageError: The id is none, or no model has a column that is sealed by person.
        NotFound: No person has this id: neither a key nor a row.
    """
    if not 0 < len(subject) <= _LONGEST or not subject.isprintable():
        raise UsageError(
            "the id of a person is a line of 1 to 200 characters", hint="`pgkeel security find TABLE.COLUMN` prints ids"
        )
    fields = [field for field in fields_of(project) if field.by_subject]
    if not fields:
        raise UsageError(
            "no model has a column that is sealed by person", hint="Encrypted(subject=True), then `pgkeel security keys rotate`"
        )
    person = _canonical(subject)
    with closing(connect(project, "owner", application=_APPLICATION)) as owner:
        counted_rows = erase(owner, fields, person, dry_run=True)
        if not is_known(owner, person) and not any(each.rows for each in counted_rows):
            raise NotFound(f"no person has the id {person}", hint="`pgkeel security find TABLE.COLUMN` prints ids")
        if dry_run:
            return counted_rows
        _note(_ledger(project), person)
        return erase(owner, fields, person)


def erase_again(project: Project, report: Report, connection: Connection | None = None) -> None:
    """Erase whoever was erased and came back with an older day.

    Args:
        project: Whose.
        report: Hears how many there were.
        connection: To a recovered server that nobody else may connect to yet; None connects as the owner.

    Raises:
        ModelsNotFound: Somebody was erased, and the models that say where cannot be imported.
    """
    persons = erased_persons(project)
    if not persons:
        return
    lent = connect(project, "owner", application="pgkeel up") if connection is None else nullcontext(connection)
    with lent as owner:
        fields = erasable(owner, fields_of(project))
        back = [person for person in persons if fields and any(each.rows for each in erase(owner, fields, person))]
    if back:
        report(f"erased {counted(len(back), 'person')} again who came back")


def erased_persons(project: Project) -> tuple[str, ...]:
    """Return the ids of those who were erased."""
    file = _ledger(project)
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else ()


def _canonical(subject: str) -> str:
    """Return an id as the server writes it."""
    try:
        return str(UUID(subject))
    except ValueError:
        return subject


def _note(file: Path, subject: str) -> None:
    known = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    if subject not in known:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, "".join(f"{line}\n" for line in [*known, subject]).encode())


def _ledger(project: Project) -> Path:
    """Return the file in the folder that `reset` keeps: backups do not forget either."""
    return project.root / project.config.backup.directory / "erased"
