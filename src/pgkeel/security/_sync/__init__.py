# Generated from pgkeel/security/_async/__init__.py by tools/unasync.py; do not edit.
"""The one source of both colours; `tools/unasync.py` writes `_sync` from it."""
