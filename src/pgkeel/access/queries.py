"""Statements as functions: `@query` makes one of a signature, the statement that it returns, and the annotation of its result.

    @query
    def by_author(author: UUID, most: int = 20) -> list[PostRow]:
        return statement(select(Post).where(Post.user_id == author).limit(most))

    await by_author(db, author, most=5)  # or in a transaction: by_author(tx, …); without `await` for pgkeel.access.sync

The body runs once, when the function is defined, with placeholders for the values: what is wrong with it is known at import.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from inspect import Parameter, Signature, signature
from typing import Any, Generic, LiteralString, Never, ParamSpec, Protocol, TypeVar, get_type_hints, overload

from pgkeel.access.answers import answer_of
from pgkeel.access.asked import Asked, Given, fitting, placeholder
from pgkeel.access.undecided import deciding_is_refused
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.postgres import Query

__all__ = ["AsyncDoor", "Door", "QueryFunction", "StreamFunction", "query", "statement"]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
_PLAIN = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class AsyncDoor(Protocol):
    """What runs a statement for coroutines: a `Database` or a `Transaction` of `pgkeel.access`."""

    async def ask(self, asked: Asked, values: Sequence[object], /) -> Any:  # noqa: ANN401 - what the annotation says
        """Run it."""
        ...

    def ask_rows(self, asked: Asked, values: Sequence[object], /) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Read its rows through a cursor."""
        ...


class Door(Protocol):
    """What runs a statement for threads: a `Database` or a `Transaction` of `pgkeel.access.sync`."""

    def ask(self, asked: Asked, values: Sequence[object], /) -> Any:  # noqa: ANN401 - what the annotation says
        """Run it."""
        ...

    def ask_rows(self, asked: Asked, values: Sequence[object], /) -> AbstractContextManager[Iterator[Any]]:
        """Read its rows through a cursor."""
        ...


class _Function:
    """A function and its statement.

    Attributes:
        asked: The statement.
    """

    def __init__(self, function: Callable[..., Any], asked: Asked) -> None:
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self._signature = signature(function)
        self.asked = asked

    def _values(self, given: tuple[object, ...], named: Mapping[str, object]) -> list[object]:
        bound = self._signature.bind(*given, **named)
        bound.apply_defaults()
        return list(bound.arguments.values())


class QueryFunction(_Function, Generic[P, T]):
    """What `@query` makes."""

    @overload
    def __call__(self, door: AsyncDoor, /, *given: P.args, **named: P.kwargs) -> Awaitable[T]: ...
    @overload
    def __call__(self, door: Door, /, *given: P.args, **named: P.kwargs) -> T: ...
    def __call__(self, door: Any, /, *given: Any, **named: Any) -> Any:
        """Run the statement with these values, on a database or in a transaction.

        Raises:
            NotFound: There is no row, and the annotation promises one.
            UsageError: There are several, and it allows one.
        """
        return door.ask(self.asked, self._values(given, named))


class StreamFunction(_Function, Generic[P, R]):
    """What `@query` makes of a function that returns an iterator."""

    @overload
    def __call__(
        self, door: AsyncDoor, /, *given: P.args, **named: P.kwargs
    ) -> AbstractAsyncContextManager[AsyncIterator[R]]: ...
    @overload
    def __call__(self, door: Door, /, *given: P.args, **named: P.kwargs) -> AbstractContextManager[Iterator[R]]: ...
    def __call__(self, door: Any, /, *given: Any, **named: Any) -> Any:
        """Read its rows through a cursor of the server: `async with votes(db, post) as rows: async for row in rows: …`."""
        return door.ask_rows(self.asked, self._values(given, named))


@overload
def query(function: Callable[P, AsyncIterator[R]], /) -> StreamFunction[P, R]: ...  # type: ignore[overload-overlap]
@overload
def query(function: Callable[P, T], /) -> QueryFunction[P, T]: ...
def query(function: Callable[..., Any], /) -> Any:
    """Make a function into one that runs the statement it returns; its arguments become bound parameters.

    Args:
        function: Its parameters and its result are annotated, and its body is `return statement(…)`.

    Raises:
        UsageError: A parameter is not used, a value of the statement is no parameter, or an annotation is missing.
    """
    asked = _asked(function, signature(function))
    return (StreamFunction if asked.answer.form == "stream" else QueryFunction)(function, asked)


def statement(given: LiteralString | Query | Any, /, *, writes: Sequence[str] | None = None) -> Never:  # noqa: ANN401 - SQLAlchemy's
    """Return the statement of a `@query` function; for type checkers it is of whatever type the function returns.

    Args:
        given: SQL with `%(name)s` for each parameter of the function, a `Query` from a file, or a statement of SQLAlchemy.
        writes: The tables that hand-written SQL writes, as of `sql`.
    """
    made: Any = Given(given, None if writes is None else tuple(writes))
    return made  # type: ignore[misc]


def _asked(function: Callable[..., Any], known: Signature) -> Asked:
    name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
    _require_plain(name, known)
    try:
        hints = get_type_hints(function)
    except NameError as err:
        raise UsageError(f"{name}: its annotations name {err.name!r}, which is not there", hint="import it at run time") from None
    return fitting(name, list(known.parameters), answer_of(hints["return"]), _body(name, function, known))


def _require_plain(name: str, known: Signature) -> None:
    if known.return_annotation is Signature.empty:
        raise UsageError(f"{name} does not say what it returns", hint="def …(…) -> list[PostRow]:")
    for parameter in known.parameters.values():
        if parameter.kind not in _PLAIN:
            raise UsageError(f"{name}: {parameter} takes any number of values", hint="name each parameter")
        if parameter.annotation is Parameter.empty:
            raise UsageError(f"{name}: {parameter.name} has no annotation", hint=f"{parameter.name}: UUID")


def _body(name: str, function: Callable[..., Any], known: Signature) -> Given:
    """Return what the body says of placeholders."""
    places = {each: placeholder(each) for each in known.parameters}
    required = {each: place for each, place in places.items() if known.parameters[each].kind is Parameter.KEYWORD_ONLY}
    try:
        with deciding_is_refused(function):
            found = function(*(place for each, place in places.items() if each not in required), **required)
    except KeelError:
        raise
    except Exception as err:
        hint = "its body runs once, with placeholders: write `return statement(…)`, and one function for each statement"
        raise UsageError(f"{name}: no statement for all values: {type(err).__name__} in its body", hint=hint) from err
    if not isinstance(found, Given):
        raise UsageError(f"{name} returns no statement", hint="return statement(select(…)), or statement('SELECT …')")
    return found
