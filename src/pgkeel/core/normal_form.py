"""The form in which values are compared: what a search index is made of, so that it finds whoever writes it differently."""

import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import groupby
from types import MappingProxyType

from pgkeel.core.errors import UsageError

__all__ = ["NORMAL_FORMS", "normal_form"]

_SHORT = 1_000
_MOST_MARKS = 30  # in a row; no writing has so many (https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format)


def _exact(text: str) -> str:
    return text


def _caseless(text: str) -> str:
    return _compatible(text).strip().casefold()


def _digits(text: str) -> str:
    """Return the digits of any script as 0 to 9: left out, all numbers that are written in another would be equal."""
    return "".join(str(unicodedata.decimal(each)) for each in _compatible(text) if each.isdecimal())


def _compatible(text: str) -> str:
    """Return it in NFKC, which sorts the marks upon a letter: 100,000 in a row would take a minute."""
    if len(text) > _SHORT:
        for is_mark, run in groupby(text, lambda each: unicodedata.combining(each) > 0):
            if is_mark and len(list(run)) > _MOST_MARKS:
                raise UsageError(f"more than {_MOST_MARKS} marks stand upon one letter", hint="that is no writing")
    return unicodedata.normalize("NFKC", text)


NORMAL_FORMS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"exact": _exact, "email": _caseless, "caseless": _caseless, "digits": _digits}
)
"""`exact`: letter by letter. `email`, `caseless`: Unicode NFKC, trimmed, without case. `digits`: only those, of any script."""


def normal_form(name: str, text: str) -> bytes:
    """Return a text in a normal form, as bytes.

    Raises:
        UsageError: There is no such form, or the text is no Unicode.
    """
    form = NORMAL_FORMS.get(name)
    if form is None:
        raise UsageError(f"there is no normal form {name!r}", hint=f"one of {', '.join(NORMAL_FORMS)}")
    with suppress(UnicodeEncodeError):  # it holds the text, so it must not be the cause of ours
        return form(text).encode()
    raise UsageError("a text holds half of a character", hint="decode it as UTF-8 first")
