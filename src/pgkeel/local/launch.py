"""Run programs as the servers' account, with an environment that is ours and not the caller's."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pgkeel.core.errors import KeelError
from pgkeel.local.account import Account

__all__ = ["AccountUnavailable", "Failed", "can", "reap", "run", "spawn"]

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_TAIL = 2000


class Failed(KeelError):
    """A program of the servers failed."""

    code = "program_failed"


class AccountUnavailable(KeelError):
    """Root here may not become another account."""

    code = "account_unavailable"
    exit_code = 2


def run(
    account: Account,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
    timeout: float | None = 300,
) -> str:
    """Run a program to its end as the account and return its stdout.

    Args:
        account: As whom.
        arguments: The program and its arguments; everybody on the machine can read them, so nothing secret may be among them.
        environment: Variables beside a minimal set of our own; nothing is taken from the caller's.
        folder: Where it works.
        timeout: Seconds after which it is killed.

    Raises:
        Failed: It could not be executed, or ended with another code than 0; the message carries the end of its stderr.
        AccountUnavailable: This root may not change its account.
    """
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(argument) for argument in arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            **{**_as(account, environment), "cwd": folder},
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise _not_started(err, arguments, account) from err
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
        raise Failed(
            f"{Path(arguments[0]).name} failed with code {done.returncode}: {said}", hint="`pgkeel doctor` looks for the cause"
        )
    return done.stdout


def spawn(
    account: Account, arguments: Sequence[str | Path], *, output: IO[bytes], environment: Mapping[str, str] | None = None
) -> int:
    """Start a program that outlives this Python and return its process number; whoever asks for it later reaps it.

    Raises:
        Failed: It could not be executed.
        AccountUnavailable: This root may not change its account.
    """
    try:
        started = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_as(account, environment),
        )
    except OSError as err:
        raise _not_started(err, arguments, account) from err
    started.returncode = 0  # the object is not the server: only `reap` waits for it, by number
    return started.pid


def reap(pid: int) -> bool:
    """Take the zombie of a child that ended, so that its number does not look alive; return whether no such child lives."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def can(account: Account, test: str, path: Path) -> bool:
    """Return whether the account passes a test of test(1) on a path: `-r` read, `-x` enter, `-w` write."""
    try:
        run(account, ["/bin/sh", "-c", f'test {test} "$0"', path], timeout=10)
    except Failed:
        return False
    return True


def _as(account: Account, environment: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the keywords of Popen that drop every privilege which the account does not have."""
    common: dict[str, Any] = {"cwd": "/", "env": {**_ENVIRONMENT, **(environment or {})}, "umask": 0o077}
    if account.is_current:
        return common
    return {**common, "user": account.uid, "group": account.gid, "extra_groups": []}


def _not_started(err: Exception, arguments: Sequence[str | Path], account: Account) -> KeelError:
    name = Path(arguments[0]).name
    if isinstance(err, subprocess.TimeoutExpired):
        return Failed(f"{name} did not end within {err.timeout:.0f} s", hint="`pgkeel doctor` looks for the cause")
    if isinstance(err, PermissionError) and err.errno == 1:  # EPERM: setuid itself was refused, unlike EACCES on the file
        return AccountUnavailable(
            f"this root may not become {account.name} (no CAP_SETUID)",
            hint="run pgkeel as an ordinary user, give the container CAP_SETUID and CAP_SETGID, or set [database] url",
        )
    return Failed(f"{name} cannot be executed as {account.name}: {err}", hint="`pgkeel doctor` looks for the cause")
