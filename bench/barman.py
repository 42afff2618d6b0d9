"""Barman as a peer: a program that is run, where `BARMAN` names one or PATH has it; nothing of it is imported."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgkeel.backup import Tools

__all__ = ["Barman", "barman_of"]

_CONFIG = """\
[barman]
barman_user = {user}
barman_home = {home}
log_file = {home}/barman.log
log_level = WARNING

[main]
conninfo = {address}
streaming_conninfo = {address}
path_prefix = {bins}
backup_method = postgres
streaming_archiver = on
slot_name = barman
create_slot = auto
immediate_checkpoint = true
backup_compression = zstd
backup_compression_format = tar
backup_compression_level = 1
backup_compression_location = server
staging_path = {home}/staging
staging_location = local
"""


class Barman:
    """One server of a Barman of its own."""

    def __init__(self, program: str, configuration: Path, environment: dict[str, str]) -> None:
        """Take the program and its configuration file."""
        self._argv = [program, "-c", str(configuration)]
        self._environment = environment

    def run(self, *arguments: str) -> str:
        """Return what a command says; one that fails raises."""
        done = subprocess.run([*self._argv, *arguments], env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"barman {' '.join(arguments)}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return done.stdout

    def full(self) -> None:
        """Take a full backup."""
        self.run("backup", "main")

    def incremental(self) -> None:
        """Take an incremental backup on the last full one."""
        self.run("backup", "--incremental", "last-full", "main")

    def wait_for_receiver(self) -> None:
        """Return when it streams; no backup begins before."""
        until = time.monotonic() + 60
        while "receive-wal running: OK" not in self.said("check", "main") and time.monotonic() < until:
            time.sleep(0.2)

    def archive(self) -> None:
        """Close segments until it has archived one: it never takes the newest."""
        for _ in range(3):
            self.run("switch-wal", "--force", "main")
            time.sleep(1)
            self.run("archive-wal", "main")

    def said(self, *arguments: str) -> str:
        """Return what a command says, however it ends."""
        return subprocess.run(
            [*self._argv, *arguments], env=self._environment, capture_output=True, text=True, check=False
        ).stdout

    def receive(self) -> "subprocess.Popen[bytes]":
        """Start what receives WAL."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*self._argv, "receive-wal", "main"], env=self._environment, stdout=quiet, stderr=quiet)


@contextmanager
def barman_of(tools: Tools, address: str, folder: Path) -> Iterator[Barman | None]:
    """Yield a Barman that receives the WAL of a server, or None where there is no such program."""
    program = os.environ.get("BARMAN") or shutil.which("barman")
    if program is None:
        yield None
        return
    home = folder / "barman"
    for name in ("main", "staging"):
        (home / name).mkdir(parents=True)
    words = {"user": Path("/proc/self").owner(), "home": home, "address": address, "bins": tools.folder}
    (folder / "barman.conf").write_text(_CONFIG.format(**words))
    barman = Barman(program, folder / "barman.conf", {**os.environ, **tools.environment})
    barman.run("receive-wal", "--create-slot", "main")
    receiver = barman.receive()
    try:
        barman.wait_for_receiver()
        yield barman
    finally:
        receiver.terminate()
        receiver.wait()
