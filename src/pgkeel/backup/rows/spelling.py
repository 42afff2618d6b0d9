"""Lists of columns and values as statements need them."""

from collections.abc import Sequence

from psycopg import sql

from pgkeel.backup.rows.shape import Shape, names
from pgkeel.postgres import identifier

__all__ = ["as_now", "assignments", "pairs", "quoted", "texts"]


def as_now(shape: Shape, of: str) -> sql.Composed:
    """Return the columns that both sides have, read from the past as the live table can take them."""
    cast = sql.SQL("convert_to({}::text, 'UTF8')")
    return sql.SQL(", ").join(
        cast.format(identifier(of, name)) if name in shape.sealed else names([name], of=of) for name in shape.columns
    )


def pairs(columns: Sequence[str], between: str) -> sql.Composed:
    """Return an expression that spells `a = 'its value'` for each column."""
    spelled = (
        sql.SQL("{} || quote_nullable({}::text)").format(
            sql.Literal(f"{identifier(name).as_string()} = "), identifier("waiting", name)
        )
        for name in columns
    )
    return sql.SQL(f" || {sql.Literal(between).as_string()} || ").join(spelled)


def assignments(columns: Sequence[str]) -> sql.Composed:
    """Return `a = was.a, …`."""
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(identifier(name), identifier("was", name)) for name in columns)


def texts(columns: Sequence[str], of: str) -> sql.Composed:
    """Return the columns as texts, which every type can be compared as."""
    return sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(of, name)) for name in columns)


def quoted(column: str) -> sql.Composed:
    """Return an expression that spells a waiting value."""
    return sql.SQL("quote_nullable({}::text)").format(identifier("waiting", column))
