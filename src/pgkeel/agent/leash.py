"""Make a process die with the one that started it, and its group with it; runs as a script too, with nothing but the library.

`python -I -S leash.py PARENT PROGRAM ARGUMENTS…` puts the leash on and becomes the program. Doing so in a fresh interpreter
rather than between fork and exec keeps it safe in a process with threads. The kernel watches the *thread* that started the
program (prctl(2), PR_SET_PDEATHSIG): a job's children die with the job. Elsewhere than on Linux the script stays and watches.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

__all__ = ["command_on_leash", "die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends; return whether the kernel can.

    Args:
        parent: Process id that the parent had when it started us; where it is gone already, we end here.
    """
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    return True


def command_on_leash(argv: list[str]) -> list[str]:
    """Return the command that runs `argv` as a child which cannot outlive us."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def _watch(parent: int, argv: list[str]) -> int:
    with subprocess.Popen(argv) as child:
        while child.poll() is None:
            if os.getppid() != parent:
                os.killpg(0, signal.SIGKILL)
            time.sleep(0.2)
        return child.returncode


if __name__ == "__main__":
    if die_with_parent(int(sys.argv[1])):
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - becoming that program is the purpose  # nosec B606
    sys.exit(_watch(int(sys.argv[1]), sys.argv[2:]))
