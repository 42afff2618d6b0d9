"""Everything that a command may import, for the process that `tests.forked` forks."""

import gc
import pkgutil
from importlib import import_module

import pgkeel.cli

for module in pkgutil.walk_packages(pgkeel.cli.__path__, "pgkeel.cli."):
    import_module(module.name)
gc.freeze()
