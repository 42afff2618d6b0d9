"""The composition root: introduces the sections to each other."""

from pgkeel.stack.connection import connect, login_url

__all__ = ["connect", "login_url"]
