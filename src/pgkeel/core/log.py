"""Event logging: a name and fields. The library configures nothing; whoever runs it decides where it goes."""

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["EventLogger", "get_logger"]


class EventLogger:
    """Writes `backup.finished bytes=… took=…` with the fields kept apart in `record.fields`."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        """Wrap a standard logger."""
        self._logger = logger

    def _write(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            text = " ".join([event, *(f"{name}={value}" for name, value in fields.items())])
            self._logger.log(level, "%s", text, extra={"event": event, "fields": dict(fields)})

    def debug(self, event: str, **fields: object) -> None:
        """Log what only a developer wants to see."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what happened as it should."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody should look at."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what failed."""
        self._write(logging.ERROR, event, fields)


def get_logger(name: str) -> EventLogger:
    """Return the event logger of a module; pass `__name__`."""
    return EventLogger(logging.getLogger(name))
