"""The sync form of the identity, generated from the async one."""

from pgkeel.security._sync.identity import Identity, Statements

__all__ = ["Identity", "Statements"]
