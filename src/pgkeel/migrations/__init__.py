"""Migrations that cannot take the site down: grammar, ledger, runner."""

from pgkeel.migrations.options import Options, Outcome, Report, Step
from pgkeel.migrations.runner import down, redo, up
from pgkeel.migrations.source import PGKEEL, Source

__all__ = ["PGKEEL", "Options", "Outcome", "Report", "Source", "Step", "down", "redo", "up"]
