"""Pictures of the relationships: the same facts in every notation."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

from pgkeel.postgres import Connection
from pgkeel.schema.diagram import Diagram, as_dot, as_mermaid, as_svg, as_text, from_database, from_metadata
from pgkeel.schema.diagram.layout import Box, Route, layout
from pgkeel.schema.models import Base

ROOT = Path(__file__).parents[2]
REFERENCE = from_metadata(Base.metadata)


def knot() -> Diagram:
    """References in a circle, a table that points to itself, one that stands alone, names that need care."""
    metadata = MetaData()
    Table("a", metadata, Column("id", Integer, primary_key=True), Column("b_id", ForeignKey("b.id")))
    Table(
        "b",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("a_id", ForeignKey("a.id"), unique=True),
        Column("parent_id", ForeignKey("b.id")),
    )
    Table(
        "c",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("b_id", ForeignKey("b.id"), nullable=False),
        Column("a_id", ForeignKey("a.id"), nullable=False),
    )
    Table('lonely <&> "x"', metadata, Column("id", Integer, primary_key=True))
    return from_metadata(metadata)


@pytest.mark.parametrize(
    "line",
    [
        "users ──1:N──> posts (user_id)",
        "users ──1:N──> comments (user_id)",
        "posts ──1:N──> comments (post_id)",
        "users ──N:M──> roles (via user_roles)",
        "users ──1:N──> events (user_id, optional)",
    ],
)
def test_the_relationships_are_told_in_the_designs_words(line: str) -> None:
    assert f"  {line}\n" in as_text(REFERENCE) + "\n"


def test_a_unique_reference_is_one_to_one() -> None:
    assert [(one.parent, one.child) for one in knot().relations if one.cardinality == "1:1"] == [("a", "b")]


def test_mermaid_says_the_cardinality_on_both_ends() -> None:
    lines = as_mermaid(REFERENCE).splitlines()

    assert lines[0] == "erDiagram"
    assert '    users ||--o{ posts : "user_id"' in lines
    assert '    users |o--o{ events : "user_id"' in lines
    assert "        numeric(19_4) amount" in lines


def test_dot_names_the_columns_that_a_line_joins() -> None:
    text = as_dot(REFERENCE)

    assert '"users":"id" -> "posts":"user_id" [arrowhead=crowodot, arrowtail=teetee];' in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("diagram", [REFERENCE, knot(), from_metadata(MetaData())], ids=["reference", "knot", "nothing"])
def test_the_svg_is_well_formed_and_holds_every_table(diagram: Diagram) -> None:
    root = ET.fromstring(as_svg(diagram))

    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    lines = [element for element in root.iter() if element.get("class") in {"line", "line optional"}]
    assert {entity.name for entity in diagram.entities} <= texts
    assert len(lines) == sum(relation.cardinality != "N:M" for relation in diagram.relations)


@pytest.mark.parametrize("diagram", [REFERENCE, knot()], ids=["reference", "knot"])
def test_boxes_do_not_overlap_and_no_line_runs_through_one(diagram: Diagram) -> None:
    plan = layout(diagram)

    pairs = [(one, other) for one in plan.boxes for other in plan.boxes if one.entity.name < other.entity.name]
    assert not [pair for pair in pairs if overlap(*pair)]
    assert not [(route.line, box.entity.name) for route in plan.routes for box in plan.boxes if crosses(route, box)]
    assert all(box.x + box.width < plan.width and box.y + box.height < plan.height for box in plan.boxes)


def overlap(one: Box, other: Box) -> bool:
    apart = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not (apart or one.y + one.height <= other.y or other.y + other.height <= one.y)


def crosses(route: Route, box: Box) -> bool:
    ways = zip(route.points, route.points[1:], strict=False)
    return any(
        max(a[0], b[0]) > box.x
        and min(a[0], b[0]) < box.x + box.width
        and max(a[1], b[1]) > box.y
        and min(a[1], b[1]) < box.y + box.height
        for a, b in ways
    )


def test_a_picture_is_the_same_every_time() -> None:
    assert as_svg(from_metadata(Base.metadata)) == as_svg(REFERENCE)


def test_the_pictures_in_the_documentation_are_current() -> None:
    page = (ROOT / "docs/schema.md").read_text(encoding="utf-8")
    fenced = re.search(r"```mermaid\n(.*?)```", page, re.DOTALL)

    assert (ROOT / "docs/schema.svg").read_text(encoding="utf-8") == as_svg(REFERENCE)
    assert fenced is not None
    assert fenced[1] == as_mermaid(REFERENCE)


def test_a_database_shows_its_keys_but_neither_partitions_nor_what_extensions_brought(reference: Connection) -> None:
    reference.execute("CREATE TABLE one_each (id integer PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id))")
    reference.execute("CREATE UNIQUE INDEX ON one_each (user_id)")

    found = from_database(reference)

    assert {entity.name for entity in found.entities} == {entity.name for entity in REFERENCE.entities} | {"one_each"}
    assert [one.cardinality for one in found.relations if one.child == "one_each"] == ["1:1"]


def test_tables_of_further_schemas_are_named_with_them(reference: Connection) -> None:
    reference.execute("CREATE SCHEMA shop; CREATE TABLE shop.orders (id integer PRIMARY KEY, user_id uuid REFERENCES users (id))")

    found = from_database(reference, schemas=("public", "shop"))

    assert [(one.parent, one.child) for one in found.relations if "orders" in one.child] == [("users", "shop.orders")]


def test_a_model_in_a_schema_is_drawn_with_it() -> None:
    metadata = MetaData(schema="shop")
    Table("orders", metadata, Column("id", Integer, primary_key=True))

    assert [entity.name for entity in from_metadata(metadata).entities] == ["shop.orders"]
