"""`pgkeel agent run|status`: keep the promises, and show how they are kept."""

import signal
from datetime import datetime
from pathlib import Path

import click
import msgspec

from pgkeel.agent import JobStatus, ServiceStatus, Status, supervise
from pgkeel.agent import status as status_of
from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.groups import Group
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.core.project import Project
from pgkeel.stack.folders import explained, prepare
from pgkeel.stack.layout import layout_of
from pgkeel.stack.recovery_guard import require_no_recovery

__all__ = ["agent"]


@click.group(cls=Group)
def agent() -> None:
    """Run the agent, or show what it does."""


@agent.command()
@click.option("--only", multiple=True, metavar="JOB", help="Only this job, and no service; may be given several times.")
def run(only: tuple[str, ...]) -> None:
    """Run jobs and services in the foreground until SIGTERM; a worker that dies is started again.

    `--only drill --only drill_both_ways` on another machine, which has the repository and its identity and no server, proves
    the backups of one that cannot open them.
    """
    project = current_project()
    layout = layout_of(project)
    require_no_recovery(layout)
    _refuse_wrong_schedules(project)
    _refuse_unknown(project, only)
    with explained(layout.state):
        prepare(layout)
    state = layout.agent
    raise SystemExit(supervise(lambda: _work(project, state, only), state))


@agent.command()
@answers
def status() -> Answer:
    """Show jobs, services and who leads; works while the database is down. Exits 1 when it or one of its services is down."""
    found = status_of(layout_of(current_project()).agent)
    return Answer(msgspec.to_builtins(found), _text(found), 0 if found.running and not found.failing else 1)


def _refuse_wrong_schedules(project: Project) -> None:
    from pgkeel.agent.schedule import read_schedules  # noqa: PLC0415 - needs the extra [agent]; `agent status` does not
    from pgkeel.stack.duties import jobs_of  # noqa: PLC0415 - as above

    settings = project.config.agent
    read_schedules({job.name: job.schedule for job in jobs_of(project)}, settings.schedules, settings.time_zone)


def _refuse_unknown(project: Project, only: tuple[str, ...]) -> None:
    from pgkeel.stack.duties import jobs_of  # noqa: PLC0415 - needs the extra [agent]

    known = [job.name for job in jobs_of(project)]
    for name in only:
        if name not in known:
            raise UsageError(f"the agent has no job {name}", hint=f"one of {', '.join(known)}")


def _work(project: Project, state: Path, only: tuple[str, ...]) -> int:
    from pgkeel.agent.agent import Agent  # noqa: PLC0415 - needs the extra [agent]; `agent status` does not
    from pgkeel.agent.log import open_log  # noqa: PLC0415 - as above
    from pgkeel.stack.connection import connect  # noqa: PLC0415 - the supervisor itself needs no driver
    from pgkeel.stack.duties import jobs_of, services_of  # noqa: PLC0415 - as above

    open_log(state / "agent.log")
    try:
        worker = Agent(
            lambda role: connect(project, role, application="pgkeel agent"),
            state,
            project.config.agent,
            jobs=[job for job in jobs_of(project) if not only or job.name in only],
            services=() if only else services_of(project),
        )
    except KeelError as err:
        talk(f"error: {err.message}")
        return err.exit_code
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda *_: worker.stop())
    return worker.run()


def _text(found: Status) -> str:
    head = f"running, process {found.pid}, {'leader' if found.leader else 'not leader'}" if found.running else "not running"
    names = ["agent", *(job.name for job in found.jobs), *(service.name for service in found.services)]
    width = max(map(len, names))
    lines = [*(_line(job, width) for job in found.jobs), *(_service(one, width) for one in found.services)]
    return "\n".join([f"{'agent':<{width}} {head}", *lines])


def _service(service: ServiceStatus, width: int) -> str:
    state = "is tried again" if service.has_ended else "is behind" if service.behind_since else "running"
    restarts = f"restarts {service.restarts}" if service.restarts else ""
    mark = "! " if service.is_failing else ""
    return f"{mark}{service.name:<{width}} {'service':<14} {state:<10} {restarts}  {service.last_error or ''}".rstrip()


def _line(job: JobStatus, width: int) -> str:
    outcome = "running" if job.running else job.last_outcome or "never ran"
    said = job.last_error or ", ".join(f"{name} {value}" for name, value in (job.last_result or {}).items())
    times = f"last {_time(job.last_finished):<20}  next {_time(job.next_run):<20}"
    return f"{job.name:<{width}} {job.schedule:<14} {outcome:<10} {times}  {said}".rstrip()


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if at else "-"
