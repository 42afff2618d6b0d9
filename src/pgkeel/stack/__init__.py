"""The composition root: introduces the sections to each other.

Only the way in to the database is here: a command that needs no more must not wait for certificates and backups to be loaded.
The rest is imported from its module: `pgkeel.stack.up`, `pgkeel.stack.status`, …
"""

from pgkeel.stack.connection import connect, login_url

__all__ = ["connect", "login_url"]
