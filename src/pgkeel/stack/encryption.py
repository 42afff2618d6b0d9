"""Write the migrations that encrypt or decrypt a column into the team's folder."""

from collections.abc import Sequence
from pathlib import Path

from pgkeel import migrations
from pgkeel.core import clock
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import Source
from pgkeel.migrations.status import pending
from pgkeel.security.encryption import MigrationText, plan_decryption, plan_encryption
from pgkeel.security.encryption.column import TableColumn, find_column
from pgkeel.security.encryption.remains import Remains, remains, scrub
from pgkeel.stack.connection import connect
from pgkeel.stack.holders import holders
from pgkeel.stack.keys import field_of
from pgkeel.stack.protection import is_protected

__all__ = ["plan_decrypt", "plan_encrypt", "remains_of", "write_migrations"]

_APPLICATION = "pgkeel security encrypt"


def plan_encrypt(
    project: Project, name: str, *, index: str | None, unique: str | None, report: Report
) -> tuple[MigrationText, ...]:
    """Return the migrations that make the clear column `table.column` an encrypted one; see `plan_encryption`.

    Raises:
        NotFound: There is no such column.
        Refused: Its type, the table's key or a constraint does not allow it.
    """
    return plan_encryption(_found(project, name, sealed=False, report=report), index=index, unique=unique)


def plan_decrypt(
    project: Project, name: str, *, index: str | None, unique: str | None, type_: str, report: Report
) -> tuple[MigrationText, ...]:
    """Return the migrations that make the encrypted column `table.column` a clear one; see `plan_decryption`.

    Raises:
        NotFound: There is no such column.
        Refused: It is not an encrypted one, or a constraint does not allow it.
        UsageError: A constraint of that name stands until the encrypted form is dropped.
    """
    return plan_decryption(_found(project, name, sealed=True, report=report), index=index, unique=unique, type_=type_)


def remains_of(project: Project, name: str, *, does_scrub: bool, report: Report) -> tuple[Remains, ...]:
    """Return where older clear values of an encrypted column still lie, after its table was written anew if that is asked for.

    A full backup follows the rewrite, so that those from before may expire.

    Raises:
        NotFound: The models have no such encrypted column.
        Refused: The old column is still there, or the table's lock was not obtained.
    """
    field = field_of(project, name)
    if does_scrub:
        with (
            connect(project, "owner", application=_APPLICATION) as owner,
            connect(project, "superuser", application=_APPLICATION) as superuser,
        ):
            scrub(owner, field, superuser=superuser)
        if is_protected(project):
            from pgkeel.stack.backups import take  # noqa: PLC0415 - needs the extra [backup]

            report(f"{field.table_name} is rewritten; taking a full backup")
            take(project, "full", report=report)
    with holders(project, _APPLICATION) as (superuser, keepers):
        return remains(superuser, field, holders=keepers)


def write_migrations(project: Project, planned: Sequence[MigrationText]) -> list[str]:
    """Write planned migrations into the team's folder, one version after the other, and return their paths.

    What lies there already and waits for `up` is left: killed between two files, or typed twice, it is simply run again.
    """
    source = Source("app", project.root / project.config.migrations.directory)
    waiting, paths = _waiting(project, source), list[str]()
    for each in planned:
        text = each.text.replace("{version}", Path(paths[0]).name.partition("_")[0] if paths else "")
        paths.append(waiting.get(text) or migrations.new(source, each.words, now=clock.now(), text=text))
    return paths


def _waiting(project: Project, source: Source) -> dict[str, str]:
    """Return text → path of the team's migrations that are not applied."""
    with connect(project, "owner", application=_APPLICATION) as connection:
        versions = {state.version for state in pending(connection, [source])}
    files = [file for file in sorted(source.folder.glob("*.sql")) if file.name.partition("_")[0] in versions]
    return {file.read_text(encoding="utf-8"): str(file) for file in files}


def _found(project: Project, name: str, *, sealed: bool, report: Report) -> TableColumn:
    with connect(project, "owner", application=_APPLICATION) as connection:
        column = find_column(connection, name, sealed=sealed)
    if column.default:
        report(f"the default of {name} ends with the switch, so programs give the value: {column.default}")
    for rule in column.rules:
        report(f"{rule.kind} {rule.name} ends with the switch: {rule.definition}")
    for reader in column.readers:
        report(f"{name} is read by {reader}: the file of the switch says where it has to be dropped and made anew")
    return column
