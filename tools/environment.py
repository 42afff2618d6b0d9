"""Make a virtual environment from the hash-pinned requirements, once; nothing happens when it is already right.

Standard library only: it runs before anything is installed. `environment.py run .venv` is enough for `pgkeel up`,
`all` adds what tests and checks need, `bench` the peers that are measured
against. A half-made environment, one of another Python or of another lock is made anew; two callers at once wait for each
other (the installers inherit the lock, so that an orphan keeps it).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {"run": ("run", "all", "bench"), "all": ("all", "bench"), "bench": ("bench",)}  # what is asked for → what satisfies it
STAMP = "pgkeel-made.json"


def main(level: str, folder: str) -> None:
    """Make `folder` right for `level`, or leave with an error that says what to type."""
    venv = (ROOT / folder).absolute()
    with _only_one(venv) as lock:
        stamp = _read_stamp(venv)
        if any(stamp.get(enough) == digest(enough) for enough in LEVELS[level]):
            return
        _say(f"{venv.name}: installing requirements/{level}.txt for Python {sys.version.split()[0]}")
        if not any(stamp.get(known) == digest(known) for known in LEVELS):
            _make_anew(venv, lock)
            stamp = {}
        _install(venv, level, lock)
        _write_stamp(venv, stamp | {level: digest(level)})


def digest(level: str) -> str:
    """Return what the environment depends on: the lock, the project's own metadata, this Python and where it stands."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    metadata = json.dumps([project["build-system"], project["project"]], sort_keys=True)
    lock = (ROOT / "requirements" / f"{level}.txt").read_text(encoding="utf-8")
    return hashlib.sha256("\0".join([lock, metadata, sys.version, sys.executable, str(ROOT)]).encode()).hexdigest()


@contextlib.contextmanager
def _only_one(venv: Path) -> Iterator[int]:
    try:
        lock = os.open(venv.with_name(venv.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as err:
        _fail(f"{venv.parent} cannot be written: {err.strerror}", "make the folder yours, or clone the project elsewhere")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"{venv.name}: another make is installing; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    yield lock
    os.close(lock)


def _read_stamp(venv: Path) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if os.access(venv / "bin/python", os.X_OK) else {}


def _write_stamp(venv: Path, stamp: dict[str, str]) -> None:
    draft = venv / (STAMP + ".draft")
    draft.write_text(json.dumps(stamp), encoding="utf-8")
    draft.replace(venv / STAMP)


def _make_anew(venv: Path, lock: int) -> None:
    if venv.is_symlink() or (venv.is_dir() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file()):
        _fail(f"{venv} is not a virtual environment", "move it away, then type the same command again")
    if venv.is_dir():
        shutil.rmtree(venv)
    if (uv := shutil.which("uv")) is not None:
        _run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(venv)], lock)
    else:
        _run([sys.executable, "-m", "venv", str(venv)], lock)


def _install(venv: Path, level: str, lock: int) -> None:
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    uv = shutil.which("uv") or shutil.which("uv", path=str(venv / "bin"))
    if uv is None and _run([*pip, *_locked("installer")], lock, required=False):  # measured: 3 s instead of 15 s for `all`
        uv = str(venv / "bin/uv")
    for arguments in (_locked(level), ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]):
        by_uv = uv is not None and _run([uv, "pip", "install", "--quiet", "--python", pip[0], *arguments], lock, required=False)
        if not by_uv:  # pip knows mirrors and proxies that uv may not have been told of
            if next((venv / "lib").glob("python3*/site-packages/pip"), None) is None:
                _run([pip[0], "-m", "ensurepip"], lock, required=False)
            _run([*pip, *arguments], lock)


def _locked(name: str) -> list[str]:
    return ["--require-hashes", "-r", str(ROOT / "requirements" / f"{name}.txt")]


def _run(command: list[str], lock: int, *, required: bool = True) -> bool:
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}}
    code = subprocess.run(command, check=False, cwd=ROOT, env=environment, pass_fds=[lock]).returncode
    if code and required:
        _fail(f"`{' '.join(command)}` failed with exit code {code}", "its message stands above; then type the same command again")
    return code == 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(message: str, hint: str) -> None:
    _say(f"error: {message}\n  → {hint}")
    sys.exit(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
