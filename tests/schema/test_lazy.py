"""No relationship loads by surprise, whoever wrote the model; a loader that was chosen stays."""

import subprocess
import sys

PROGRAM = """
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

class Base(DeclarativeBase): ...
class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")
class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    chosen: Mapped[Author] = relationship(viewonly=True, lazy="joined")
    other: Mapped[Author] = relationship(viewonly=True, backref="others")

import pgkeel.access
pgkeel.access.Database
engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add(Book(id=1, author=Author(id=1)))
    session.commit()
for read in (lambda s: s.get(Author, 1).books, lambda s: s.get(Author, 1).others):
    with Session(engine) as session:
        try:
            read(session)
        except InvalidRequestError as err:
            print("raised", "raise_on_sql" in str(err))
with Session(engine) as session:
    print(session.scalars(select(Book)).one().chosen.id)
    print(len(session.scalars(select(Author).options(selectinload(Author.books))).one().books))
"""


def test_relationships_of_other_models_raise_unless_a_loader_was_chosen() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["raised True", "raised True", "1", "1"], "")
