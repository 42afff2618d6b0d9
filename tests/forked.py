"""Commands of pgkeel in processes of their own that need not read all of Python first: one that has done so is forked.

A command takes half a second of CPU before it begins, and a test of a stack runs ten of them. What a fresh interpreter decides
(the locale, how it is called, its limits) is not seen this way: such commands are run by `subprocess`.
"""

import atexit
import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["run_forked"]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.forked_modules"])


def run_forked(arguments: Sequence[str], *, env: Mapping[str, str], timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run `pgkeel ARGUMENTS` without a terminal and return how it ended and what it said, as `subprocess.run` does."""
    with tempfile.TemporaryDirectory(prefix="pgkeel-said-") as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _context.Process(target=_command, args=(list(arguments), dict(env), str(Path.cwd()), said))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        out, err = (file.read_text(encoding="utf-8") for file in said)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def _command(arguments: list[str], env: dict[str, str], folder: str, said: list[Path]) -> None:
    from pgkeel.cli.main import main

    for number, file in enumerate(said, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    try:
        main(arguments)
    finally:
        atexit._run_exitfuncs()
