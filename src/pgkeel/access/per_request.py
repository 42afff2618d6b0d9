"""One scope a request: how many statements each one runs, and which of them again and again, without a line in its handler.

    app = CountStatements(app)  # ASGI: Starlette, FastAPI, Litestar, Django, Quart
    app = CountStatementsWsgi(app)  # WSGI: Flask, Django

`pgkeel.access.counting.scope("job")` is the same for a job, a command or a consumer's round.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from pgkeel.access.counting import count_tasks, scope

__all__ = ["CountStatements", "CountStatementsWsgi"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
WsgiApp = Callable[..., Iterable[bytes]]
_VALUE = re.compile(r"(?<=/)[^/]*(?:\d|%|@)[^/]*")
_MANY = 10


class CountStatements:
    """ASGI middleware: each HTTP request and each websocket is a scope, and each task outside of them, too."""

    def __init__(self, app: App, *, many: int | None = _MANY, tasks: bool = True) -> None:
        """Go around an application.

        Args:
            app: The application.
            many: From how many runs of one statement on to complain: a warning, under pytest an error; None never does.
            tasks: Whether tasks that belong to no request are counted one by one.
        """
        self._app = app
        self._many = many
        if tasks and many is not None:
            count_tasks(many)

    async def __call__(self, request: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request in a scope of its own."""
        if request["type"] not in {"http", "websocket"}:
            await self._app(request, receive, send)
            return
        with scope(_name(request.get("method", "WEBSOCKET"), request.get("path", "")), many=self._many):
            await self._app(request, receive, send)


class CountStatementsWsgi:
    """WSGI middleware: each request is a scope until the last part of its answer has been read."""

    def __init__(self, app: WsgiApp, *, many: int | None = _MANY) -> None:
        """Go around an application; `many` as in `CountStatements`."""
        self._app = app
        self._many = many

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Answer a request in a scope of its own."""
        name = _name(environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""))
        with scope(name, many=self._many):
            body = self._app(environ, start_response)
            try:
                yield from body
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()


def _name(method: str, path: str) -> str:
    """Return what a log may say of a request: parts of the path that look like values are left out."""
    return f"{method} {_VALUE.sub('…', path)}"
