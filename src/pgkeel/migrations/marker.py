"""Read the comments that mean something: section markers with their options, and `-- pgkeel:` directives."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.units import parse_duration
from pgkeel.migrations.lexer import Token

__all__ = ["Directive", "Marker", "MarkerError", "looks_like_marker", "read_directive", "read_marker"]

SECTIONS = ("up", "down", "backfill")
_MARKER = re.compile(r"--[ \t]*(?P<word>[A-Za-z]+)[ \t]+Migration\b(?P<rest>.*)", re.IGNORECASE)
_NEAR_MARKER = re.compile(r"--[\s-]*(up|down|backfill)\s+migration\b", re.IGNORECASE)
_OPTION = re.compile(r"([a-z_]+)=(\S+)")
_DIRECTIVE = re.compile(r"--[ \t]*pgkeel:[ \t]*(?P<body>.*)", re.IGNORECASE)
_FORMS = {
    "ignore": "-- pgkeel: ignore RULE[, RULE] -- reason",
    "irreversible": "-- pgkeel: irreversible -- reason",
    "needs backfill": "-- pgkeel: needs backfill 20240101120000",
    "replaces": "-- pgkeel: replaces 20240101120000, 20240102120000",
}
_VERSION = re.compile(r"\d{14}")
_PYTHON_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?")


class MarkerError(ValueError):
    """A comment that looks like a marker or directive and is none."""

    def __init__(self, message: str, *, hint: str) -> None:
        """Say what is wrong and what to write."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Marker(msgspec.Struct, frozen=True):
    """A line `-- Up Migration`, `-- Down Migration` or `-- Backfill Migration`.

    Attributes:
        section: `up`, `down` or `backfill`.
        options: The `key=value` behind it, as written.
        start: Offset of the line.
        end: Offset of its end.
    """

    section: str
    options: Mapping[str, str]
    start: int
    end: int


class Directive(msgspec.Struct, frozen=True):
    """A comment `-- pgkeel: …`.

    Attributes:
        word: `ignore`, `irreversible`, `needs backfill` or `replaces`.
        arguments: Rule codes, the version of a backfill, or the versions that the file replaces.
        reason: Why; never empty where the form asks for one.
        offset: Where it stands.
    """

    word: str
    arguments: tuple[str, ...]
    reason: str
    offset: int


def read_marker(token: Token) -> Marker | None:
    """Return the marker that a column-0 line comment is, or None for an ordinary comment.

    Raises:
        MarkerError: The word before `Migration` is unknown, or what follows is not a list of known options.
    """
    match = _MARKER.fullmatch(token.text.rstrip())
    if match is None:
        return None
    word, rest = match["word"].lower(), match["rest"].strip()
    if word not in SECTIONS:
        _refuse_unknown_word(match["word"], rest)
        return None
    options = _read_options(rest, f"-- {match['word']} Migration")
    _require_valid(options, _BACKFILL_OPTIONS if word == "backfill" else _UNIT_OPTIONS)
    return Marker(word, options, token.start, token.end)


def looks_like_marker(token: Token) -> bool:
    """Return whether a comment would be a marker if it stood at the start of its line with two dashes."""
    return _NEAR_MARKER.match(token.text) is not None


def read_directive(token: Token) -> Directive | None:
    """Return the directive that a line comment is, or None.

    Raises:
        MarkerError: It begins with `pgkeel:` and has none of the known forms.
    """
    match = _DIRECTIVE.fullmatch(token.text.rstrip())
    if match is None:
        return None
    body, _, reason = (part.strip() for part in match["body"].partition("--"))
    word = next((word for word in _FORMS if body.lower() == word or body.lower().startswith(f"{word} ")), None)
    if word is None:
        near = difflib.get_close_matches(body.lower(), _FORMS, n=1, cutoff=0.5)
        hint = f"did you mean `{_FORMS[near[0]]}`?" if near else f"write one of: {'; '.join(_FORMS.values())}"
        raise MarkerError(f"{body!r} is not a directive", hint=hint)
    arguments = tuple(argument.strip() for argument in body[len(word) :].split(",") if argument.strip())
    _require_complete(word, arguments, reason)
    return Directive(word, arguments, reason, token.start)


def _require_complete(word: str, arguments: tuple[str, ...], reason: str) -> None:
    if word == "irreversible":
        is_complete = bool(reason) and not arguments
    elif word == "ignore":
        is_complete = bool(reason) and bool(arguments)
    elif word == "replaces":
        is_complete = bool(arguments) and all(_VERSION.fullmatch(argument) for argument in arguments)
    else:
        is_complete = len(arguments) == 1 and _VERSION.fullmatch(arguments[0]) is not None
    if not is_complete:
        raise MarkerError(f"the directive `{word}` is incomplete", hint=f"write `{_FORMS[word]}`")


def _refuse_unknown_word(word: str, rest: str) -> None:
    near = difflib.get_close_matches(word.lower(), SECTIONS, n=1, cutoff=0.6)
    if rest and not near and _OPTION.match(rest) is None:
        return  # "-- This migration adds …" is a sentence
    hint = f"did you mean -- {near[0].capitalize()} Migration?" if near else "a section is Up, Down or Backfill"
    raise MarkerError(f"-- {word} Migration is not a section", hint=f"{hint} Indent the comment if it is only a comment")


def _read_options(rest: str, marker: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in rest.split():
        match = _OPTION.fullmatch(part)
        if match is None:
            hint = f"write `{marker}` alone, or followed by options: lock_timeout=200ms"
            raise MarkerError(f"{part!r} is not an option (key=value)", hint=hint)
        if match[1] in options:
            raise MarkerError(f"the option {match[1]} stands twice", hint="keep one")
        options[match[1]] = match[2]
    return options


def _require_valid(options: Mapping[str, str], known: Mapping[str, str]) -> None:
    for key, value in options.items():
        if key not in known:
            raise _unknown_option(key, known)
        if not _fits(known[key], value):
            raise MarkerError(f"{key}={value} is not {known[key]}", hint=f"write {key}={_EXAMPLES[known[key]]}")
    if known is _BACKFILL_OPTIONS and "table" not in options:
        raise MarkerError(
            "a backfill names its table", hint="write -- Backfill Migration table=users key=id batch=1000 pause=10ms"
        )


def _unknown_option(key: str, known: Iterable[str]) -> MarkerError:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(known)}"
    return MarkerError(f"{key} is not an option of this section", hint=hint)


_DURATION, _COUNT, _CHOICE, _NAME = "a duration with a unit", "a whole number of at least 1", "auto or none", "a name"
_CODE = "module:function"
_EXAMPLES = {_DURATION: "200ms", _COUNT: "1000", _CHOICE: "none", _NAME: "users", _CODE: "shop.phones:encrypt"}
_UNIT_OPTIONS = {
    "lock_timeout": _DURATION,
    "statement_timeout": _DURATION,
    "retries": _COUNT,
    "deadline": _DURATION,
    "transaction": _CHOICE,
}
_BACKFILL_OPTIONS = {"table": _NAME, "key": _NAME, "batch": _COUNT, "pause": _DURATION, "code": _CODE}


def _fits(kind: str, value: str) -> bool:
    if kind is _DURATION:
        return _is_duration(value)
    if kind is _COUNT:
        return value.isascii() and value.isdecimal() and int(value) >= 1
    if kind is _CHOICE:
        return value in {"auto", "none"}
    return (_PYTHON_NAME if kind is _CODE else _IDENTIFIER).fullmatch(value) is not None


def _is_duration(value: str) -> bool:
    try:
        return parse_duration(value) >= timedelta()
    except ConfigError:
        return False
