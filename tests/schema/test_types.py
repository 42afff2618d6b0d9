"""Column types keep the design's rules."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.postgres.catalog import snapshot
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.types import TYPES, Money, MoneyType, NotMoney, Status, status_values


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = TYPES


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[Money]
    paid: Mapped[Money | None]
    state: Mapped[str] = Status("open", "it's paid", default="it's paid")
    kind: Mapped[str] = Status("bill", "credit", default="bill", native=True)
    customer_name: Mapped[str | None] = mapped_column(index=True)


@pytest.fixture
def invoices(empty_db: Url, engine: sqlalchemy.Engine) -> Url:
    Base.metadata.create_all(engine)
    return empty_db


@pytest.mark.parametrize("amount", [1.5, "1.50", True, Decimal("NaN"), Decimal("Infinity"), Decimal("0.00001")])
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    with pytest.raises(NotMoney):
        MoneyType().process_bind_param(amount, sqlalchemy.create_engine("postgresql+psycopg://").dialect)


def test_an_amount_comes_back_as_it_went(invoices: Url, engine: sqlalchemy.Engine) -> None:
    with Session(engine) as session:
        session.add(Invoice(id=1, total=Decimal("999999999999999.9999"), paid=3))
        session.flush()
        session.expire_all()
        invoice = session.scalars(sqlalchemy.select(Invoice)).one()
        found = (invoice.total, invoice.paid)

    assert found == (Decimal("999999999999999.9999"), Decimal(3))


def test_a_float_does_not_reach_the_database(invoices: Url, engine: sqlalchemy.Engine) -> None:
    with Session(engine) as session:
        session.add(Invoice(id=1, total=0.1))
        with pytest.raises((NotMoney, sqlalchemy.exc.StatementError), match="a float is no amount of money"):
            session.flush()


def test_the_names_of_checks_and_indexes_follow_the_design(invoices: Url) -> None:
    with connect(invoices) as connection:
        found = snapshot(connection)

    names = {one.name.removeprefix("public.") for one in found.only("constraint", "index", "type").objects}
    assert names == {
        "invoices.invoices_pkey",
        "invoices_pkey",
        "invoices.invoices_total_check",
        "invoices.invoices_paid_check",
        "invoices.invoices_state_check",
        "invoices_kind",
        "idx_invoices_customer_name",
    }


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("UPDATE invoices SET state = 'lost'", psycopg.errors.CheckViolation),
        ("UPDATE invoices SET kind = 'lost'", psycopg.errors.InvalidTextRepresentation),
        ("UPDATE invoices SET total = 'NaN'", psycopg.errors.CheckViolation),
    ],
)
def test_the_database_refuses_other_words(invoices: Url, change: str, error: type[Exception]) -> None:
    with connect(invoices) as connection:
        connection.execute("INSERT INTO invoices (id, total) VALUES (1, 1)")
        with pytest.raises(error):
            connection.execute(change.encode())


def test_both_kinds_of_status_are_written_and_read_as_words(invoices: Url, engine: sqlalchemy.Engine) -> None:
    with Session(engine) as session:
        session.add(Invoice(id=1, total=Decimal(1), state="it's paid", kind="credit"))
        session.flush()
        query = sqlalchemy.select(Invoice.state, Invoice.kind).where(Invoice.kind == "credit", Invoice.state == "it's paid")
        assert session.execute(query).one() == ("it's paid", "credit")


def test_a_default_that_is_no_allowed_word_is_refused() -> None:
    with pytest.raises(UsageError, match="'new' is not one of open, closed"):
        Status("open", "closed", default="new")


def test_a_copied_table_has_each_rule_once() -> None:
    copy = Invoice.metadata.tables["invoices"].to_metadata(sqlalchemy.MetaData())

    checks = sorted(str(one.name) for one in copy.constraints if isinstance(one, sqlalchemy.CheckConstraint))

    assert checks == ["invoices_paid_check", "invoices_state_check", "invoices_total_check"]


def test_a_status_column_knows_its_words() -> None:
    assert status_values(Invoice.metadata.tables["invoices"].c.kind) == ("bill", "credit")
