"""Tell the team's handlers what transactions have published: at least once, those of one key in order.

One agent of a database does it, the one that holds a session lock. A message is forgotten after its handler has returned; one
whose handler fails waits longer each time, and the later ones of its key behind it. No transaction is open while a handler works.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib import import_module

from pgkeel.agent.reach import Reach
from pgkeel.agent.services.service import Service
from pgkeel.core.errors import ConfigError
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load, outbox
from pgkeel.postgres.outbox import Message

__all__ = ["Handler", "outbox_service", "read_handlers"]

log = get_logger(__name__)
Handler = Callable[[Message], object]
_POLL = timedelta(milliseconds=500)
_BATCH = 100
_FIRST_DELAY, _LAST_DELAY = timedelta(seconds=1), timedelta(minutes=5)


def read_handlers(names: Mapping[str, str]) -> dict[str, Handler]:
    """Return topic → function for topic → `package.module:function`.

    Raises:
        ConfigError: There is no such function.
    """
    return {topic: _function(topic, name) for topic, name in names.items()}


def outbox_service(handlers: Mapping[str, Handler], *, poll: timedelta = _POLL, delay: timedelta = _FIRST_DELAY) -> Service:
    """Return the service that delivers messages to their handlers.

    Args:
        handlers: Function by topic; a topic without one is left alone.
        poll: How often the outbox is looked into while it is empty.
        delay: How long a message waits after its first failure; doubled each time, up to 5 minutes.
    """
    return Service("outbox", lambda reach: _deliver(reach, handlers, poll, delay))


def _deliver(reach: Reach, handlers: Mapping[str, Handler], poll: timedelta, delay: timedelta) -> None:
    connection = reach.connect("app")
    while not load(__name__, "try_deliver").scalar(connection):
        reach.wait(poll)
    while True:
        waiting = outbox.due(connection, list(handlers), most=_BATCH)
        stuck: set[tuple[str, str]] = set()
        for message in waiting:
            reach.check()
            if (message.topic, message.key) not in stuck and not _handle(connection, message, handlers, delay) and message.key:
                stuck.add((message.topic, message.key))
        reach.wait(timedelta() if len(waiting) == _BATCH else poll)


def _handle(connection: Connection, message: Message, handlers: Mapping[str, Handler], delay: timedelta) -> bool:
    """Return whether the message was delivered; its payload and key are the team's, and stay out of the log."""
    try:
        handlers[message.topic](message)
    except Exception as err:  # noqa: BLE001 - a handler's failure, whatever it is, must not end the others
        pause = min(_LAST_DELAY, delay * 2**message.attempts)
        log.warning("outbox.failed", id=message.id, topic=message.topic, attempts=message.attempts + 1, error=type(err).__name__)
        outbox.later(connection, message.id, pause)
        return False
    outbox.done(connection, [message.id])
    return True


def _function(topic: str, name: str) -> Handler:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as err:
        raise ConfigError(
            f"agent.handlers: {topic} = {name!r} cannot be loaded: {err}", hint="write package.module:function"
        ) from err
    if not callable(found):
        raise ConfigError(f"agent.handlers: {topic} = {name!r} is not a function", hint="write package.module:function")
    handler: Handler = found
    return handler
