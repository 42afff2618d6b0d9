"""Ctrl-C, at the instants where Python's own way of hearing it does harm."""

import signal
import subprocess
import sys

import pytest

from tests.projects import environment

# The main thread interrupts itself when it has just taken a lock, as a frame of `threading` does it.
IN_A_LOCK = """
import os, signal, threading, time
from pgkeel.cli.interrupts import hear_interrupts

hear_interrupts()
source = '''def enter(self):
    taken = self._lock.__enter__()
    os.kill(os.getpid(), signal.SIGINT)
    return taken
'''
exec(compile(source, threading.__file__, "exec"), space := {"os": os, "signal": signal})
threading.Condition.__enter__ = space["enter"]
lock = threading.Condition(threading.Lock())
try:
    with lock:
        pass
    time.sleep(30)
except KeyboardInterrupt:
    print("heard", lock.acquire(blocking=False))
"""

# Whoever waits for a lock, a thread or an event is interrupted there.
IN_A_WAIT = """
import os, signal, threading
from pgkeel.cli.interrupts import hear_interrupts

hear_interrupts()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("heard")
"""

# The first module that the command line reads beside Python's own interrupts it.
BEFORE_IT_BEGINS = """
import os, runpy, signal, sys

def hook(event, given):
    if (event, given[:1]) == ("import", ("click",)):
        os.kill(os.getpid(), signal.SIGINT)


sys.addaudithook(hook)
sys.argv = ["pgkeel", "--help"]
runpy.run_module("pgkeel", run_name="__main__")
"""

# Processes that start threads and wait for them, as a restore does, each interrupted at an instant of its own.
AT_ANY_INSTANT = """
import collections, os, random, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pgkeel.cli.interrupts import hear_interrupts


def work(number):
    time.sleep(0.0002)


def start_and_wait(ready):
    try:
        os.write(ready, b"x")
        while True:
            with ThreadPoolExecutor(2) as pool:
                for done in as_completed([pool.submit(work, number) for number in range(2)]):
                    done.result()
    except KeyboardInterrupt:
        sys.exit(2)


def end_of(process):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return "goes on"


hear_interrupts()
ends, instants = collections.Counter(), random.Random(1)
for _ in range(1500):
    heard, ready = os.pipe()
    process = os.fork()
    if not process:
        start_and_wait(ready)
    os.read(heard, 1)
    os.close(heard), os.close(ready)
    time.sleep(instants.random() * 0.01)
    os.kill(process, signal.SIGINT)
    ends[end_of(process)] += 1
print(dict(ends))
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would the child
    try:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment({}), capture_output=True, text=True, timeout=500, check=False
        )
    finally:
        signal.signal(signal.SIGINT, heard)


def test_a_lock_that_was_just_taken_is_given_back_first() -> None:
    done = run(IN_A_LOCK)

    assert (done.stdout, done.stderr) == ("heard True\n", "")


def test_without_it_the_lock_stays_taken_and_whoever_needs_it_waits_for_ever() -> None:
    done = run(IN_A_LOCK.replace("hear_interrupts()", ""))

    assert (done.stdout, done.stderr) == ("heard False\n", "")


def test_a_wait_is_interrupted() -> None:
    done = run(IN_A_WAIT)

    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_an_interrupt_before_the_command_line_is_read_leaves_no_traceback() -> None:
    done = run(BEFORE_IT_BEGINS)

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_one_that_is_to_be_ignored_is_ignored() -> None:
    done = run(f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{IN_A_WAIT.replace('wait(60)', 'wait(1)')}")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_at_any_instant_a_process_with_threads_ends() -> None:
    done = run(AT_ANY_INSTANT)

    assert (done.stdout, done.stderr) == ("{2: 1500}\n", "")
