"""The port in its async form; `_sync` is generated from it."""
