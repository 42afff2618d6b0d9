"""Data access: one pool, three doors."""
