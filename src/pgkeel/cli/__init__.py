"""The command line: parse, one library call, render."""

from pgkeel.cli.main import main

__all__ = ["main"]
