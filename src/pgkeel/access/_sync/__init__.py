# Generated from pgkeel/access/_async/__init__.py by tools/unasync.py; do not edit.
"""The async form, written by hand; `_sync` is generated from it."""
