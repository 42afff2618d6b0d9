"""Work beside the event loop, and the limiter that can be awaited."""

from asyncio import to_thread as aside

from pgkeel.core.limits import AsyncLimiter as Limiter
from pgkeel.core.limits import AsyncMemoryLimiter as MemoryLimiter

__all__ = ["Limiter", "MemoryLimiter", "aside"]
