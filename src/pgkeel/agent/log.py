"""The agent's structured log: one JSON object a line, in a file that is rotated by size."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

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
    handler.setFormatter(_Lines())
    logger = logging.getLogger("pgkeel")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


class _Lines(logging.Formatter):
    """The fields of `core.log` stand beside the event, not in its text."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "event": getattr(record, "event", None) or record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "thread": record.threadName,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
