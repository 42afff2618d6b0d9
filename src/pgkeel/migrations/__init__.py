"""Migrations that cannot take the site down: grammar, ledger, runner."""

from pgkeel.migrations.create import new
from pgkeel.migrations.grammar import Backfill, MigrationFile, Section, parse
from pgkeel.migrations.options import Options, Outcome, Step
from pgkeel.migrations.runner import down, redo, up
from pgkeel.migrations.source import PGKEEL, Source, count_files, project_sources, read
from pgkeel.migrations.status import State, Status, pending, status, unknown
from pgkeel.migrations.upgrade import downgrade, outstanding, upgrade

__all__ = [
    "PGKEEL",
    "Backfill",
    "MigrationFile",
    "Options",
    "Outcome",
    "Section",
    "Source",
    "State",
    "Status",
    "Step",
    "count_files",
    "down",
    "downgrade",
    "new",
    "outstanding",
    "parse",
    "pending",
    "project_sources",
    "read",
    "redo",
    "status",
    "unknown",
    "up",
    "upgrade",
]
