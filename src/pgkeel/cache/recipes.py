"""Rate limits, counters, leaderboards, sessions, locks and jobs that happen once; the sync forms are in `pgkeel.cache.sync`."""

from pgkeel.cache._async.recipes import Counter, Leaderboard, Limiter, Lock, Once, Sessions
from pgkeel.core.limits import Rate

__all__ = ["Counter", "Leaderboard", "Limiter", "Lock", "Once", "Rate", "Sessions"]
