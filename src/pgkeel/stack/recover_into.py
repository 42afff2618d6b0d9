"""`recover --into DIR`: bring the recovered server up in a folder of its own; what the real one does is for others to say."""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from pgkeel.backup.recovery.checks import Check, check_online
from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.backup.recovery.journal import STEPS, Step
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.side import promote, show_settings
from pgkeel.backup.recovery.undecided import require_decided
from pgkeel.backup.recovery.wish import Wish
from pgkeel.core import clock
from pgkeel.core.config import Config
from pgkeel.core.errors import ConfigError, KeelError, NotFound, Refused
from pgkeel.core.files import write_whole
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.local.folders import make_folder
from pgkeel.stack.escrow import bring_key_back
from pgkeel.stack.folders import explained
from pgkeel.stack.recovery_checks import assertions_of, looks_of
from pgkeel.stack.restoring import Scene, bring_back, open_side, replay, require_room_for, scene_of
from pgkeel.stack.targets import plan_of
from pgkeel.stack.traces import housed

__all__ = ["Into", "recover_into", "resume_into"]

_UNFINISHED = "unfinished.json"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTRUCTIONS = (
    "stop the application",
    "end its sessions and give the roles today's passwords: `pgkeel security roles apply` on the recovered server",
    "stop the old server, start one on the data directory above, and take a full backup of it",
)


class Into(msgspec.Struct, frozen=True):
    """A recovered server in a folder.

    Attributes:
        plan: What it is a copy of.
        data_directory: Its data.
        url: Its private socket.
        checks: What the verification found.
        steps: The five; those that are left to do by hand wait.
        rto_seconds: How long it took.
        instructions: What is left to do by hand.
    """

    plan: Plan
    data_directory: Path
    url: Url
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    rto_seconds: float
    instructions: tuple[str, ...]


class _Unfinished(msgspec.Struct, frozen=True):
    """A recovery that has come to its checks, as it is written down in its folder.

    Attributes:
        plan: What it does.
        source: The repository that was named, or None.
        system: The cluster's system identifier.
        files: What step 2 found on the disk.
        steps: Those that are done.
        started_at: UTC.
    """

    plan: Plan
    source: str | None
    system: str
    files: Check
    steps: tuple[Step, ...]
    started_at: datetime


def recover_into(
    project: Project,
    wish: Wish,
    into: Path,
    *,
    report: Report,
    agree: Callable[[Plan], bool],
    source: str | None = None,
    system: str | None = None,
    since: datetime | None = None,
) -> Into:
    """Recover into a missing or empty folder and leave the server running there on a private socket.

    `[recover] stop` runs before, `start` after; the data directory is their `PGDATA`. Without them the rest is printed.

    Raises:
        NotRestorable: The folder is not empty, or no backup leads there.
        VerificationFailed: What was restored is not sound.
        Undecided: It holds prepared transactions; `resume_into` goes on when they are decided.
        Refused: `agree` said no.
        ConfigError: A command of `[recover]` cannot be run; nothing was restored.
    """
    directory = into.resolve()
    if directory.exists() and any(directory.iterdir()):
        hint = "name a new folder, or delete this one if a killed run left it; nothing is ever restored over data"
        raise NotRestorable(f"{directory} is not empty", hint=hint)
    for name, command in (("stop", project.config.recover.stop), ("start", project.config.recover.start)):
        _words(name, command)
    began = clock.now()
    scene = scene_of(project, source=source, system=system)
    with housed(scene.layout, scene.server):
        plan = _agreed_plan(scene, wish, directory, agree, since)
        server, files, steps = _restored(scene, plan, directory, report)
        left = _Unfinished(plan, source, scene.system, files, steps, began)
        write_whole(directory / _UNFINISHED, msgspec.json.encode(left))
        return _finished(scene, left, directory, server, report)


def resume_into(
    project: Project, into: Path, *, report: Report, agree: Callable[[Plan], bool], accept_checks: bool = False
) -> Into:
    """Verify what was recovered into a folder and was stopped there, and start what `[recover] start` says.

    Raises:
        NotFound: No recovery waits in the folder.
        VerificationFailed: What was restored is not sound, and that was not accepted.
        Undecided: It still holds prepared transactions.
        Refused: `agree` said no.
    """
    directory = into.resolve()
    try:
        left = msgspec.json.decode((directory / _UNFINISHED).read_bytes(), type=_Unfinished)
    except (FileNotFoundError, NotADirectoryError):
        hint = f"`pgkeel recover --into {directory}` begins one; a folder where one was killed before its checks must be deleted"
        raise NotFound(f"no recovery waits in {directory}", hint=hint) from None
    _words("start", project.config.recover.start)
    _require_consent(left.plan, agree)
    scene = scene_of(project, source=left.source, system=left.system)
    with housed(scene.layout, scene.server):
        server = open_side(scene, left.plan, directory)
        server.start()
        return _finished(scene, left, directory, server, report, accept_checks=accept_checks)


def _restored(scene: Scene, plan: Plan, directory: Path, report: Report) -> tuple[Cluster, Check, tuple[Step, ...]]:
    """Do steps 1 to 3."""
    config, steps = scene.project.config, dict[int, Step]()
    with _timed(steps, 1, is_ours=config.recover.stop is not None):
        _stop(config, directory)
    with explained(directory):
        with _timed(steps, 2):
            files = bring_back(scene, plan, directory, report)
            bring_key_back(scene, plan, report)
        with _timed(steps, 3):
            server = replay(scene, plan, directory, report)
            promote(server)
    return server, files, tuple(steps.values())


def _finished(
    scene: Scene, left: _Unfinished, directory: Path, server: Cluster, report: Report, *, accept_checks: bool = False
) -> Into:
    """Do steps 4 and 5."""
    config, steps = scene.project.config, {step.number: step for step in left.steps}
    with _timed(steps, 4):
        require_decided(server, after=f"`pgkeel recover resume --into {directory}`")
        checks = (left.files, *_checked(scene, left.plan, server, report))
        if not accept_checks:
            _require_sound(checks, server, config.database.name)
    with _timed(steps, 5, is_ours=config.recover.start is not None):
        if config.recover.start is not None:  # the server that it starts is another one on the same data
            server.stop()
        show_settings(server.data)
        _run("start", config.recover.start, directory)
    (directory / _UNFINISHED).unlink()
    return Into(
        plan=left.plan,
        data_directory=server.data,
        url=server.superuser_url(config.database.name).without_password(),
        checks=checks,
        steps=tuple(steps.values()),
        rto_seconds=round((clock.now() - left.started_at).total_seconds(), 1),
        instructions=() if config.recover.start else _INSTRUCTIONS,
    )


@contextmanager
def _timed(steps: dict[int, Step], number: int, *, is_ours: bool = True) -> Iterator[None]:
    """Note a step after the block; one without a command is left to do by hand."""
    began = clock.monotonic()
    yield
    done = Step(number, STEPS[number - 1], "done", round(clock.monotonic() - began, 3))
    steps[number] = done if is_ours else Step(number, STEPS[number - 1])


def _checked(scene: Scene, plan: Plan, server: Cluster, report: Report) -> Sequence[Check]:
    database, assertions = scene.project.config.database.name, assertions_of(scene.project)
    return check_online(server, scene.tools, database, more=looks_of(scene, plan), assertions=assertions, report=report)


def _require_sound(checks: Sequence[Check], server: Cluster, database: str) -> None:
    failed = next((check for check in checks if check.ok is False), None)
    if failed is not None:
        raise VerificationFailed(f"{failed.name}: {failed.detail}", hint=f"look at it: {server.superuser_url(database)!r}")


def _agreed_plan(scene: Scene, wish: Wish, directory: Path, agree: Callable[[Plan], bool], since: datetime | None) -> Plan:
    made = [one for one in (directory / "wal", directory, *directory.parents) if not one.exists()][-1]
    make_folder(directory)
    try:
        with explained(directory):
            plan = plan_of(scene, wish, directory / "wal", since=since)
        _require_consent(plan, agree)
        require_room_for(plan, directory)
    except BaseException:  # a full disk, too
        shutil.rmtree(made, ignore_errors=True)
        raise
    return plan


def _require_consent(plan: Plan, agree: Callable[[Plan], bool]) -> None:
    if not agree(plan):
        raise Refused("nothing was changed", hint="add --yes")


def _words(name: str, command: str | None) -> list[str]:
    """Return a command of `[recover]` as its words, or none where there is no command; it can be run.

    Raises:
        ConfigError: It cannot.
    """
    if command is None:
        return []
    try:
        words = shlex.split(command)
    except ValueError as err:
        raise ConfigError(f"recover.{name} cannot be read: {err}", hint="correct [recover] in pgkeel.toml") from err
    if not words or shutil.which(words[0], path=_PATH) is None:
        program = words[0] if words else "no command"
        raise ConfigError(f"recover.{name}: {program!r} is no program", hint="write its whole path into [recover] of pgkeel.toml")
    return words


def _run(name: str, command: str | None, directory: Path) -> None:
    words = _words(name, command)
    if not words:
        return
    done = subprocess.run(
        words,
        env={"PATH": _PATH, "PGDATA": str(directory / "data")},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-300:] or "it said nothing"
        raise KeelError(f"`{command}` ended with {done.returncode}: {said}", hint="correct [recover] in pgkeel.toml")


def _stop(config: Config, directory: Path) -> None:
    """Run the command that stops the application and the server; where it fails nothing has begun, and nothing stays."""
    try:
        _run("stop", config.recover.stop, directory)
    except BaseException:
        shutil.rmtree(directory / "wal", ignore_errors=True)
        raise
