"""Ctrl-C is heard where it does no harm: nowhere that the main thread takes or gives back a lock.

Python raises between any two instructions. Between taking a lock and the `with` that gives it back (`threading.Condition` has
such places, and each start of a thread passes them) the lock stays taken, and the thread that needs it waits for ever. In a
callback of `weakref`, which the end of a thread is told by, it is printed and lost.
"""

import os
import signal
from types import FrameType
from typing import NoReturn

__all__ = ["hear_interrupts"]

_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - names of files as frames have them
_NAMES = (
    "threading.py",
    "queue.py",
    "concurrent/futures/_base.py",
    "concurrent/futures/thread.py",
    "weakref.py",
    "_weakrefset.py",
)
_DELICATE = frozenset(os.path.join(_LIBRARY, *name.split("/")) for name in _NAMES)  # noqa: PTH118
_SOON = 0.001  # seconds


def hear_interrupts() -> None:
    """Raise `KeyboardInterrupt` for SIGINT from now on, unless whoever started this process wants it ignored."""
    if signal.getsignal(signal.SIGINT) in {signal.SIG_DFL, signal.default_int_handler}:
        interrupt = _Interrupt()
        signal.signal(signal.SIGALRM, interrupt.look_again)
        signal.signal(signal.SIGINT, interrupt.arrive)


class _Interrupt:
    """One that has arrived, and waits until the main thread is out of the locks, or stands still in a wait."""

    def __init__(self) -> None:
        self._is_due = False
        self._frame: FrameType | None = None
        self._at = -1

    def arrive(self, _sign: int, frame: FrameType | None) -> None:
        """Take SIGINT."""
        self._is_due = True
        self._raise_or_wait(frame)

    def look_again(self, _sign: int, frame: FrameType | None) -> None:
        """Take SIGALRM, by which this waits."""
        if self._is_due:
            self._raise_or_wait(frame)

    def _raise_or_wait(self, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_filename not in _DELICATE or _waits(frame):
            self._raise()
        if frame is self._frame and frame.f_lasti == self._at:  # for so long nothing but another wait stays at one instruction
            self._raise()
        self._frame, self._at = frame, frame.f_lasti
        signal.setitimer(signal.ITIMER_REAL, _SOON)

    def _raise(self) -> NoReturn:
        self._is_due, self._frame = False, None
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt


def _waits(frame: FrameType) -> bool:
    """Return whether it is in the part of a wait that is made to be interrupted, which has given the lock back."""
    return frame.f_code.co_qualname == "Condition.wait" and "gotit" in frame.f_locals
