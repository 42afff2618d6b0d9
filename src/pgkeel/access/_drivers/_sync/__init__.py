# Generated from pgkeel/access/_drivers/_async/__init__.py by tools/unasync.py; do not edit.
"""The port in its async form; `_sync` is generated from it."""
