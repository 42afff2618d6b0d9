"""Draw tables and their relationships: from the models or from a database, as text, Mermaid, DOT or SVG."""

from pgkeel.schema.diagram.dot import as_dot
from pgkeel.schema.diagram.graph import Diagram, Entity, Field, Relation
from pgkeel.schema.diagram.mermaid import as_mermaid
from pgkeel.schema.diagram.sources import from_database, from_metadata
from pgkeel.schema.diagram.svg import as_svg
from pgkeel.schema.diagram.words import as_text

__all__ = [
    "Diagram",
    "Entity",
    "Field",
    "Relation",
    "as_dot",
    "as_mermaid",
    "as_svg",
    "as_text",
    "from_database",
    "from_metadata",
]
