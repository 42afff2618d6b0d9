"""What is read from a model's mapping before anything is asked."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel.access.shape import shape_of


class Base(DeclarativeBase):
    """Without `new_metadata()`: constraints have the names that PostgreSQL gives them."""


class Leaf(Base):
    __tablename__ = "leaves"
    __table_args__ = tuple(CheckConstraint(f"id <> {number}") for number in range(500))  # their order is that of addresses

    id: Mapped[int] = mapped_column(primary_key=True)
    twig_id: Mapped[int] = mapped_column(ForeignKey("leaves.id"), unique=True)


def test_a_primary_key_without_a_name_is_told_from_the_constraints_beside_it() -> None:
    kind: Any = Leaf

    assert shape_of(kind).columns_of("leaves_pkey") == ("id",)
    assert shape_of(kind).columns_of("leaves_twig_id_key") == ("twig_id",)
    assert shape_of(kind).columns_of("others_pkey") == ()
