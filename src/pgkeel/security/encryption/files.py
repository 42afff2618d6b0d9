"""The text of the migrations: expand with its backfill, switch, contract. Nothing is run here."""

import re
from collections.abc import Mapping
from importlib import resources

import msgspec

from pgkeel.security.encryption.column import TableColumn

__all__ = ["MigrationText", "plan_decryption", "plan_encryption"]

_NAME = re.compile(r"\{([a-z_]+)\}")
_READ = "-- Read by {}: drop it here, and make it anew behind the renaming; contract is refused while it stands.\n"
_FORGET = "        NEW.{} := NULL;\n"


class MigrationText(msgspec.Struct, frozen=True):
    """A file to be made.

    Attributes:
        words: What it does.
        text: Its text; `{version}` stands for the version of the first of the three.
    """

    words: str
    text: str


def plan_encryption(column: TableColumn, *, index: str | None, unique: str | None) -> tuple[MigrationText, ...]:
    """Return the three migrations that make a clear column an encrypted one.

    Args:
        column: The clear column.
        index: The normal form of its blind index, or None.
        unique: The name of the constraint that keeps equal values apart from the switch on, or None.
    """
    words = _words(column, "encrypt", index or "none") | _digests(column, index, unique) | _rules(column)
    return _texts(column, "encrypt", words)


def plan_decryption(column: TableColumn, *, index: str | None, type_: str) -> tuple[MigrationText, ...]:
    """Return the three migrations that make an encrypted column a clear one.

    Args:
        column: The encrypted column.
        index: The normal form of its blind index, or None.
        type_: The type of the clear column.
    """
    words = _words(column, "decrypt", index or "none") | _digests(column, None, None) | _rules(column) | {"sealed_type": type_}
    table = _full(column)
    beside = [quoted(f"{column.name}_bidx"), quoted(f"{column.name}_bidx_next")] if index else []
    drops = "".join(f"ALTER TABLE {table} DROP COLUMN {name};\n" for name in beside)
    back = "".join(f"ALTER TABLE {table} ADD COLUMN {name} bytea;\n" for name in beside)
    return _texts(column, "decrypt", words | {"drop_beside": drops, "add_beside": back})


def _texts(column: TableColumn, verb: str, words: Mapping[str, str]) -> tuple[MigrationText, ...]:
    title = f"{column.table[-1]} {column.name}"
    steps = (("expand", f"{verb} {title}"), ("switch", f"switch {title}"), ("contract", f"drop old {title}"))
    return tuple(MigrationText(name, _filled(step, words)) for step, name in steps)


def _words(column: TableColumn, verb: str, form: str) -> dict[str, str]:
    """Return what is the same in both directions."""
    name, table = column.name, column.table[-1]
    added, gone = (f"{name}_sealed", f"{name}_clear") if verb == "encrypt" else (f"{name}_clear", f"{name}_sealed")
    full = _full(column)
    return {
        "name": f"{'.'.join(column.table)}.{name}",
        "name_text": f"'{'.'.join(column.table)}.{name}'",
        "table": full,
        "column": quoted(name),
        "sealed": quoted(added),
        "clear": quoted(gone),
        "key": quoted(column.key),
        "function": _with_schema(column, f"{table}_{name}_unseal"),
        "trigger": quoted(f"{table}_{name}_unseal"),
        "waiting": quoted(f"idx_{table}_{name}_unsealed"),
        "waiting_full": _with_schema(column, f"idx_{table}_{name}_unsealed"),
        "plain_table": ".".join(column.table),
        "plain_key": column.key,
        "code": f"{verb}.{'.'.join(column.table)}.{name}.{column.key}:{form}",
        "readers": "".join(_READ.format(reader) for reader in column.readers),
        "backfill_hint": "'`pgkeel migrate backfill run` seals it'",
        "type": column.type,
        "sealed_type": "bytea",
        "drop_beside": "",
        "add_beside": "",
        "loosen": f"ALTER TABLE {full} ALTER COLUMN {quoted(name)} DROP NOT NULL;\n" if column.is_not_null else "",
        "tighten": f"ALTER TABLE {full} ALTER COLUMN {quoted(name)} SET NOT NULL;\n" if column.is_not_null else "",
        **_proof(column, [name]),
    }


def _digests(column: TableColumn, index: str | None, unique: str | None) -> dict[str, str]:
    """Return what concerns the columns by which equal values are found."""
    names = ["add_digests", "drop_digests", "forget_digests", "index_digests", "attach_unique", "detach_unique"]
    if index is None:
        return dict.fromkeys(names, "")
    full, table = _full(column), column.table[-1]
    now, then = f"{column.name}_bidx", f"{column.name}_bidx_next"
    kind = "UNIQUE INDEX" if unique else "INDEX"
    indexes = [f"{table}_{each}_key" if unique else f"idx_{table}_{each}" for each in (now, then)]
    made = zip(indexes, (now, then), strict=True)
    return {
        "add_digests": "".join(f"ALTER TABLE {full} ADD COLUMN {quoted(each)} bytea;\n" for each in (now, then)),
        "drop_digests": "".join(f"ALTER TABLE {full} DROP COLUMN {quoted(each)};\n" for each in (now, then)),
        "forget_digests": "".join(_FORGET.format(quoted(each)) for each in (now, then)),
        "index_digests": "".join(
            f"CREATE {kind} CONCURRENTLY {quoted(name)} ON {full} ({quoted(each)});\n" for name, each in made
        ),
        "attach_unique": _attached(full, indexes, unique) if unique else "",
        "detach_unique": _detached(full, indexes, (now, then), unique) if unique else "",
        **_proof(column, [column.name, now]),
    }


def _attached(full: str, indexes: list[str], unique: str) -> str:
    first = f"ALTER TABLE {full} ADD CONSTRAINT {quoted(unique)} UNIQUE USING INDEX {quoted(indexes[0])};\n"
    return f"{first}ALTER TABLE {full} ADD CONSTRAINT {quoted(indexes[1])} UNIQUE USING INDEX {quoted(indexes[1])};\n"


def _detached(full: str, indexes: list[str], columns: tuple[str, str], unique: str) -> str:
    drops = "".join(f"ALTER TABLE {full} DROP CONSTRAINT {quoted(name)};\n" for name in (unique, indexes[1]))
    made = zip(indexes, columns, strict=True)
    return drops + "".join(f"CREATE UNIQUE INDEX {quoted(name)} ON {full} ({quoted(each)});\n" for name, each in made)


def _rules(column: TableColumn) -> dict[str, str]:
    """Return how what rests on the column goes, and comes back."""
    full = _full(column)
    drop, back = "", ""
    for rule in column.rules:
        if rule.kind == "constraint":
            drop += f"ALTER TABLE {full} DROP CONSTRAINT {quoted(rule.name)};\n"
            back += f"ALTER TABLE {full} ADD CONSTRAINT {quoted(rule.name)} {rule.definition};\n"
        else:
            drop += f"DROP INDEX {_with_schema(column, rule.name)};\n"
            back += f"{rule.definition};\n"
    return {"drop_rules": drop, "add_rules": back}


def _proof(column: TableColumn, columns: list[str]) -> dict[str, str]:
    """Return what makes the sealed column NOT NULL without reading the table under its strongest lock."""
    if not column.is_not_null:
        return {"prove": "", "require": "", "unrequire": ""}
    full = _full(column)
    checks = [(quoted(f"{column.table[-1]}_{each}_given"), quoted(each)) for each in columns]
    added = "".join(f"ALTER TABLE {full} ADD CONSTRAINT {name} CHECK ({each} IS NOT NULL) NOT VALID;\n" for name, each in checks)
    proved = "".join(f"ALTER TABLE {full} VALIDATE CONSTRAINT {name};\n" for name, _ in checks)
    sets = "".join(f"ALTER TABLE {full} ALTER COLUMN {each} SET NOT NULL;\n" for _, each in checks)
    drops = "".join(f"ALTER TABLE {full} DROP CONSTRAINT {name};\n" for name, _ in checks)
    back = "".join(f"ALTER TABLE {full} ALTER COLUMN {each} DROP NOT NULL;\n" for _, each in checks)
    return {"prove": f"BEGIN;\n{added}COMMIT;\nBEGIN;\n{proved}COMMIT;\n", "require": sets + drops, "unrequire": back}


def _full(column: TableColumn) -> str:
    return ".".join(quoted(part) for part in column.table)


def _with_schema(column: TableColumn, name: str) -> str:
    return ".".join(quoted(part) for part in (*column.table[:-1], name))


def _filled(template: str, words: Mapping[str, str]) -> str:
    text = resources.files("pgkeel.security.encryption").joinpath("templates", f"{template}.sql").read_text(encoding="utf-8")
    return _NAME.sub(lambda match: words.get(match[1], match[0]), text)


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    from pgkeel.schema.ddl import quoted as written  # noqa: PLC0415 - the ORM only where files are written: it loads for a second

    return written(name)
