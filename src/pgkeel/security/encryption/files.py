"""The text of the migrations: expand with its backfill, switch, contract. Nothing is run here."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec

from pgkeel.core.errors import Refused, UsageError
from pgkeel.security.encryption.column import Rule, TableColumn

__all__ = ["MigrationText", "plan_decryption", "plan_encryption"]

_LONGEST = 63
_NAME = re.compile(r"\{([a-z_]+)\}")
_READ = "-- Read by {}: drop it here, and make it anew behind the renaming; contract is refused while it stands.\n"
_SEE_ALL = "SET LOCAL row_security = off; -- rows that a policy hides are an error here\n"
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

    Raises:
        Refused: Equal values are kept apart now, and would not be any more.
    """
    if column.apart and unique is None:
        hint = f"add --index exact (or email, caseless, digits) --unique idx_{column.table[-1]}_{column.name}; or drop it first"
        raise _ends(column, hint)
    words = _words(column, "encrypt", index or "none") | _digests(column, index, unique) | _rules(column)
    return _texts(column, "encrypt", words)


def plan_decryption(column: TableColumn, *, index: str | None, unique: str | None, type_: str) -> tuple[MigrationText, ...]:
    """Return the three migrations that make an encrypted column a clear one.

    Args:
        column: The encrypted column.
        index: The normal form of its blind index, or None.
        unique: The name of the constraint that keeps equal values apart from the switch on, or None.
        type_: The type of the clear column.

    Raises:
        Refused: Equal values are kept apart now, and would not be any more.
        UsageError: Another constraint of the column has that name until the old form is dropped.
    """
    other = f"{column.table[-1]}_{column.name}_key"
    if column.apart and unique is None:
        raise _ends(column, f"add --unique {other}; or drop it first")
    if unique in column.apart:
        raise UsageError(f"{unique} stands until the encrypted form is dropped", hint=f"--unique {other}")
    words = _words(column, "decrypt", index or "none") | _digests(column, None, None) | _rules(column) | {"sealed_type": type_}
    words |= _clear_values_apart(column, unique) if unique else {}
    return _texts(column, "decrypt", words | (_without_digests(column) if index else {}))


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
        "function": _with_schema(column, shortened(f"{table}_{name}_unseal")),
        "trigger": quoted(_last(shortened(f"{table}_{name}_unseal"), column.last_trigger)),
        "waiting": quoted(shortened(f"idx_{table}_{name}_unsealed")),
        "waiting_full": _with_schema(column, shortened(f"idx_{table}_{name}_unsealed")),
        "plain_table": ".".join(column.table),
        "plain_key": column.key,
        "code": f"{verb}.{'.'.join(column.table)}.{name}.{column.key}:{form}",
        "readers": "".join(_READ.format(reader) for reader in column.readers),
        "backfill_hint": "'`pgkeel migrate backfill run` seals it'",
        "type": column.type,
        "default": f" DEFAULT {column.default}" if column.default else "",
        "see_all": "SET LOCAL row_security = off;  -- rows that a policy hides are an error here\n"
        if column.has_policies
        else "",
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
    indexes = [shortened(f"{table}_{each}_key" if unique else f"idx_{table}_{each}") for each in (now, then)]
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


def _clear_values_apart(column: TableColumn, unique: str) -> dict[str, str]:
    """Return what keeps equal values of the clear form apart, proven before the switch."""
    full, clear = _full(column), f"{column.name}_clear"
    indexes = [shortened(f"{column.table[-1]}_{clear}_key")]
    return {
        "index_digests": f"CREATE UNIQUE INDEX CONCURRENTLY {quoted(indexes[0])} ON {full} ({quoted(clear)});\n",
        "attach_unique": _attached(full, indexes, unique),
        "detach_unique": _detached(full, indexes, (column.name,), unique),
    }


def _last(trigger: str, other: str) -> str:
    """Return a name that sorts behind another trigger's: triggers fire by name, and what one changes later would not be seen."""
    names = (trigger, f"zz_{trigger}", f"~{trigger}", f"{other}~")
    return next(name for name in names if name.encode() > other.encode())


def _ends(column: TableColumn, hint: str) -> Refused:
    name = f"{'.'.join(column.table)}.{column.name}"
    return Refused(f"{name} would lose {', '.join(column.apart)}, which keeps equal values apart", hint=hint)


def _without_digests(column: TableColumn) -> dict[str, str]:
    """Return how digests may be missing from the switch on, and how they go, and come back."""
    full, now, then = _full(column), quoted(f"{column.name}_bidx"), quoted(f"{column.name}_bidx_next")
    back = "".join(f"ALTER TABLE {full} ADD COLUMN {name} bytea;\n" for name in (now, then))
    words = {
        "drop_beside": "".join(f"ALTER TABLE {full} DROP COLUMN {name};\n" for name in (now, then)),
        "add_beside": back + _made_anew(full, column.digests),
    }
    if column.is_not_null:
        columns = (quoted(column.name), now)
        words["loosen"] = "".join(f"ALTER TABLE {full} ALTER COLUMN {name} DROP NOT NULL;\n" for name in columns)
        words["tighten"] = "".join(f"ALTER TABLE {full} ALTER COLUMN {name} SET NOT NULL;\n" for name in columns)
    return words


def _attached(full: str, indexes: Sequence[str], unique: str) -> str:
    """Make constraints of indexes; the first gets the name."""
    made = zip([unique, *indexes[1:]], indexes, strict=True)
    return "".join(
        f"ALTER TABLE {full} ADD CONSTRAINT {quoted(name)} UNIQUE USING INDEX {quoted(index)};\n" for name, index in made
    )


def _detached(full: str, indexes: Sequence[str], columns: Sequence[str], unique: str) -> str:
    drops = "".join(f"ALTER TABLE {full} DROP CONSTRAINT {quoted(name)};\n" for name in (unique, *indexes[1:]))
    made = zip(indexes, columns, strict=True)
    return drops + "".join(f"CREATE UNIQUE INDEX {quoted(name)} ON {full} ({quoted(each)});\n" for name, each in made)


def _rules(column: TableColumn) -> dict[str, str]:
    """Return how what rests on the column goes, and comes back."""
    full = _full(column)
    drop = "".join(
        f"ALTER TABLE {full} DROP CONSTRAINT {quoted(rule.name)};\n"
        if rule.kind == "constraint"
        else f"DROP INDEX {_with_schema(column, rule.name)};\n"
        for rule in column.rules
    )
    return {"drop_rules": drop, "add_rules": _made_anew(full, column.rules)}


def _made_anew(full: str, rules: Sequence[Rule]) -> str:
    return "".join(
        f"ALTER TABLE {full} ADD CONSTRAINT {quoted(rule.name)} {rule.definition};\n"
        if rule.kind == "constraint"
        else f"{rule.definition};\n"
        for rule in rules
    )


def _proof(column: TableColumn, columns: list[str]) -> dict[str, str]:
    """Return what makes the sealed column NOT NULL without reading the table under its strongest lock."""
    if not column.is_not_null:
        return {"prove": "", "require": "", "unrequire": ""}
    full = _full(column)
    checks = [(quoted(shortened(f"{column.table[-1]}_{each}_given")), quoted(each)) for each in columns]
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


def shortened(name: str) -> str:
    """Return a name of at most 63 bytes, as SQLAlchemy shortens those of the models; cut by the server, two may become one."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 8]}_{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[-4:]}"


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    from pgkeel.schema.ddl import quoted as written  # noqa: PLC0415 - the ORM only where files are written: it loads for a second

    return written(name)
