"""The agent's structured log: one JSON object a line, in a file that is rotated by size."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog
from structlog.typing import EventDict, WrappedLogger

from pgkeel.core.units import Size

__all__ = ["open_log"]

_ROTATE_AT = Size.parse("5MiB")
_KEPT = 5


def open_log(file: Path, *, rotate_at: Size = _ROTATE_AT, kept: int = _KEPT) -> logging.Handler:
    """Send the events of all of pgkeel to a file; return the handler, whose `close` ends it.

    Args:
        file: The log; older ones are `NAME.1` to `NAME.5`.
        rotate_at: Size at which a new one is begun.
        kept: How many older ones are kept.
    """
    handler = RotatingFileHandler(file, maxBytes=rotate_at, backupCount=kept, encoding="utf-8")
    handler.setFormatter(_formatter())
    logger = logging.getLogger("pgkeel")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def _formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            _add_fields,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
    )


def _add_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the fields of `core.log` beside the event instead of into its text."""
    record = event["_record"]
    fields = getattr(record, "fields", {})
    return {**event, "event": getattr(record, "event", event["event"]), "thread": record.threadName, **fields}
