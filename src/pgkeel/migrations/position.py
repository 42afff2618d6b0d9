"""Say where in a file something stands, the way editors and compilers do."""

from pgkeel.migrations.errors import BadMigration

__all__ = ["place", "refuse"]


def place(file_name: str, text: str, offset: int) -> str:
    """Return `file:line:column` of an offset, both counted from 1."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"{file_name}:{line}:{column}"


def refuse(file_name: str, text: str, offset: int, message: str, *, hint: str) -> BadMigration:
    """Return the error for something in a file that cannot be run."""
    where = place(file_name, text, offset)
    _, line, column = where.rsplit(":", 2)
    return BadMigration(f"{where}: {message}", hint=hint, data={"file": file_name, "line": int(line), "column": int(column)})
