"""PostgreSQL's own grammar, as JSON trees: the one module that knows which package brings it.

`postgast` (BSD-2) carries libpg_query of PostgreSQL 18. Its C bindings are one module without dependencies; the package around
them imports protobuf and 20,000 generated lines, ten times slower than a whole lint, so the bindings are loaded by themselves.
"""

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pgkeel.core.errors import NotFound

__all__ = ["Node", "ParseError", "parse", "parse_body"]

Node = dict[str, Any]
_BINDINGS = "pgkeel_libpg_query"


class ParseError(ValueError):
    """The text is not SQL."""

    def __init__(self, message: str, offset: int) -> None:
        """Say what stands there, and at which character."""
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse(sql: str) -> list[tuple[str, Node]]:
    """Return the kind and the tree of every statement, e.g. `("DropStmt", {…})`.

    Raises:
        ParseError: PostgreSQL would refuse the text.
        NotFound: The parser is not installed.
    """
    library = _library()
    result = library.pg_query_parse(sql.encode())
    try:
        _require_parsed(result, sql)
        tree = json.loads(result.parse_tree)
    finally:
        library.pg_query_free_parse_result(result)
    return [next(iter(raw["stmt"].items())) for raw in tree.get("stmts", ()) if raw.get("stmt")]


def parse_body(sql: str) -> list[Node]:
    """Return the tree of a `DO` block or function written in PL/pgSQL.

    Raises:
        ParseError: It is not PL/pgSQL.
    """
    library = _library()
    result = library.pg_query_parse_plpgsql(sql.encode())
    try:
        _require_parsed(result, sql)
        functions: list[Node] = json.loads(result.plpgsql_funcs)
    finally:
        library.pg_query_free_plpgsql_parse_result(result)
    return functions


def _require_parsed(result: Any, sql: str) -> None:  # noqa: ANN401 - a C structure
    if result.error:
        found = result.error.contents
        before = sql.encode()[: max(found.cursorpos - 1, 0)]
        raise ParseError(found.message.decode(), len(before.decode(errors="ignore")))


@cache
def _library() -> Any:  # noqa: ANN401 - a C library
    return _bindings().lib


def _bindings() -> ModuleType:
    package = importlib.util.find_spec("postgast")
    if package is None or package.origin is None:
        raise NotFound("the SQL parser is not installed", hint="pip install 'pgkeel[lint]'")
    spec = importlib.util.spec_from_file_location(_BINDINGS, Path(package.origin).with_name("native.py"))
    if spec is None or spec.loader is None:
        raise NotFound("the SQL parser is damaged", hint="pip install --force-reinstall 'pgkeel[lint]'")
    module = sys.modules[_BINDINGS] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
