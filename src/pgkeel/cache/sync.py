"""The sync form of the cache, generated from the async one; for threads, scripts and Django- or Flask-like services."""

from pgkeel.cache._sync.cache import Cache
from pgkeel.cache._sync.change import Change
from pgkeel.cache._sync.client import Client
from pgkeel.cache._sync.recipes import Counter, Leaderboard, Limiter, Lock, Once, Sessions
from pgkeel.cache._sync.rows import RowCache
from pgkeel.core.limits import Rate

__all__ = ["Cache", "Change", "Client", "Counter", "Leaderboard", "Limiter", "Lock", "Once", "Rate", "RowCache", "Sessions"]
