"""Make the tables of models in a database that is there for it."""

import psycopg
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase

from pgkeel.postgres import Connection, identifier, load

__all__ = ["create_all"]


def create_all(base: type[DeclarativeBase], connection: Connection) -> None:
    """Make what the models declare, in the database of a connection and as the role that it acts as.

    Args:
        base: The declarative base.
        connection: Says where and as whom; the ORM opens a session of its own.
    """
    role = load(__name__, "acting_role").scalar(connection)

    def open_session() -> psycopg.Connection:
        opened = psycopg.connect(connection.info.dsn, password=connection.info.password or None)
        opened.execute(load(__name__, "set_role").named(role=identifier(role)).statement)
        opened.commit()
        return opened

    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=open_session, poolclass=sqlalchemy.NullPool)
    try:
        base.metadata.create_all(engine)
    finally:
        engine.dispose()
