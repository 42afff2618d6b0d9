"""The sync form of the data access, generated from the async one; for threads, scripts and Django- or Flask-like services."""

from pgkeel.access._sync.database import Database
from pgkeel.access._sync.hooks import Hook
from pgkeel.access._sync.repository import Repository
from pgkeel.access._sync.transaction import Transaction

__all__ = ["Database", "Hook", "Repository", "Transaction"]
