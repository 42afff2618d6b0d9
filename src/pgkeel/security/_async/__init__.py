"""The one source of both colours; `tools/unasync.py` writes `_sync` from it."""
