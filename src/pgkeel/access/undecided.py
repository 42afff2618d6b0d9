"""Refuse the body of a `@query` function that decides by a value: it runs once, with placeholders, before there is any.

Left alone, `if status == "draft":` would take one branch for ever without a word: SQLAlchemy makes an expression of `==`, whose
truth is whether both sides are one object. `status is None`, and a look into a set or a dict, are as silent.
"""

import dis
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from sqlalchemy import BindParameter
from sqlalchemy.sql.elements import BinaryExpression

__all__ = ["Placeholder", "deciding_is_refused"]

_one_at_a_time = threading.RLock()
_SAID = "a value is known when the function is called, not when its body runs"
_bodies: list[str] = []  # the files of the bodies that run; another body only where one imports a module


class Placeholder(BindParameter[Any]):
    """What stands for a value while a statement is made."""

    inherit_cache = True

    def __hash__(self) -> int:
        """Return SQLAlchemy's hash to SQLAlchemy.

        Raises:
            TypeError: The body itself looks for it in a set or a dict.
        """
        if _asked_by_body(sys._getframe(1).f_code):  # noqa: SLF001 - documented in `sys`
            raise TypeError(_SAID)
        return super().__hash__()


@contextmanager
def deciding_is_refused(function: Callable[..., Any]) -> Iterator[None]:
    """Let the body of a function run, and fail where it decides by a comparison, by identity or by a look into a set.

    Raises:
        TypeError: It does.
    """
    code: CodeType | None = getattr(function, "__code__", None) if isinstance(function, FunctionType) else None
    if code is not None and _compares_identity(code):
        raise TypeError(_SAID)
    silent: Callable[[BinaryExpression[Any]], bool] = BinaryExpression.__bool__

    def truth(self: BinaryExpression[Any]) -> bool:
        if _asked_by_body(sys._getframe(1).f_code):  # noqa: SLF001 - as above
            raise TypeError(_SAID)
        return silent(self)

    with _one_at_a_time:
        _bodies.append("" if code is None else code.co_filename)
        BinaryExpression.__bool__ = truth  # type: ignore[method-assign] # SQLAlchemy itself gets the answer that it always got
        try:
            yield
        finally:
            BinaryExpression.__bool__ = silent  # type: ignore[method-assign] # as above
            _bodies.pop()


def _asked_by_body(code: CodeType) -> bool:
    return bool(_bodies) and code.co_filename == _bodies[-1]


def _compares_identity(code: CodeType) -> bool:
    """Return whether `is` has a parameter beside it."""
    names = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    loaded: list[bool] = [False, False]
    for step in dis.get_instructions(code):
        is_jump = step.opname.endswith(("IF_NONE", "IF_NOT_NONE"))
        if (is_jump and loaded[-1]) or (step.opname == "IS_OP" and any(loaded[-2:])):
            return True
        given = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        loaded += [step.opname.startswith("LOAD_") and name in names for name in given]
    return False
