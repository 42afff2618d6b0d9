"""The async form, written by hand; `_sync` is generated from it."""
