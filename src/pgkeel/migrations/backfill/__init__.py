"""Backfills: change the rows of a large table in small batches beside the application, and go on wherever they stopped."""

from pgkeel.migrations.backfill.code import Change, Resolve, imported
from pgkeel.migrations.backfill.run import LOCK_KEY, run
from pgkeel.migrations.backfill.state import BackfillState, Forecast, chosen, forecast, pausable, pause, states
from pgkeel.migrations.backfill.throttle import Throttle

__all__ = [
    "LOCK_KEY",
    "BackfillState",
    "Change",
    "Forecast",
    "Resolve",
    "Throttle",
    "chosen",
    "forecast",
    "imported",
    "pausable",
    "pause",
    "run",
    "states",
]
