"""Backups that another tool takes: read and driven through its program and its JSON, never imported."""

from pgkeel.backup.adopted.barman import Barman
from pgkeel.backup.adopted.engine import Engine, Fault
from pgkeel.backup.adopted.pgbackrest import PgBackRest
from pgkeel.backup.adopted.walg import WalG

__all__ = ["Barman", "Engine", "Fault", "PgBackRest", "WalG"]
