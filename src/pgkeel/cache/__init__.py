"""A cache of rows and query results on Valkey or Redis that is never stale; needs `pgkeel[cache]`.

The async form is here, the sync one in `pgkeel.cache.sync`.
"""

from pgkeel.cache._async.cache import Cache
from pgkeel.cache._async.change import Change
from pgkeel.cache._async.client import Client
from pgkeel.cache._async.rows import RowCache
from pgkeel.cache.errors import CacheUnsuitable, CommandRefused, LockHeld, LoginRefused
from pgkeel.cache.figures import Figures
from pgkeel.cache.names import Tag, tag
from pgkeel.cache.touched import Touched

__all__ = [
    "Cache",
    "CacheUnsuitable",
    "Change",
    "Client",
    "CommandRefused",
    "Figures",
    "LockHeld",
    "LoginRefused",
    "RowCache",
    "Tag",
    "Touched",
    "tag",
]
