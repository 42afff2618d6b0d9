"""Tell which defaults are one value for all rows: PostgreSQL computes those once and rewrites nothing."""

from pgkeel.migrations.lint.parser import Node
from pgkeel.migrations.lint.tree import strings, walk

__all__ = ["volatile_function"]

# pg_proc.provolatile of what people write as a default: immutable or stable
_STEADY = {
    "abs",
    "array_cat",
    "array_fill",
    "btrim",
    "ceil",
    "coalesce",
    "concat",
    "current_database",
    "current_schema",
    "current_setting",
    "current_user",
    "date_part",
    "date_trunc",
    "daterange",
    "decode",
    "digest",
    "encode",
    "extract",
    "floor",
    "format",
    "inet_client_addr",
    "int4range",
    "int8range",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "left",
    "length",
    "lower",
    "make_date",
    "make_interval",
    "make_timestamp",
    "make_timestamptz",
    "md5",
    "now",
    "numrange",
    "regexp_replace",
    "replace",
    "right",
    "round",
    "session_user",
    "sha256",
    "statement_timestamp",
    "string_to_array",
    "substring",
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "trim",
    "tsrange",
    "tstzrange",
    "upper",
    "version",
}


def volatile_function(expression: Node | None) -> str:
    """Return a function of an expression that is not known to be steady, or ""; a team's own are not known."""
    calls = (strings(body["funcname"])[-1] for kind, body in walk(expression) if kind == "FuncCall")
    return next((name for name in calls if name not in _STEADY), "")
