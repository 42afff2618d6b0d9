"""A production PostgreSQL as a Python package: one design document, carried out and checked."""

__version__ = "0.1.0"

__all__ = ["__version__"]
