"""`up`: every step is safe to repeat, so a killed `up` is finished by the next one and a second `up` changes nothing."""

from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import project_sources
from pgkeel.security.exposure import app_networks
from pgkeel.stack.audit import ensure_audit
from pgkeel.stack.background import ensure_agent
from pgkeel.stack.connection import connect
from pgkeel.stack.erasure import erase_again
from pgkeel.stack.external import up_external
from pgkeel.stack.folders import explained
from pgkeel.stack.keys import ensure_keys
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.migrate import apply_migrations, pending_migrations
from pgkeel.stack.postgres import ensure_postgres
from pgkeel.stack.protection import ensure_protection
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.status import Status, status
from pgkeel.stack.valkey import ensure_valkey

__all__ = ["plan_up", "up"]


def up(project: Project, *, yes: bool = False, report: Report) -> Status:
    """Start what does not run, make what is missing, apply what is pending, and return what runs then.

    Args:
        project: Whose stack.
        yes: Whether an external database may be written to.
        report: Hears each step, in words.

    Raises:
        UsageError: The machine or the configuration does not allow it.
        Refused: An external database may not be written, or holds tables that are not ours, or a recovery is open.
        DiskFull: The disk is full; what is there is finished by the next `up`.
    """
    app_networks(project.config.security)  # refuses the whole internet
    if project.is_external:
        return up_external(project, yes=yes, report=report)
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        require_no_recovery(layout)
        return _bring_up(project, layout, report)


def plan_up(project: Project) -> tuple[str, ...]:
    """Return what `up` would do now, in words; nothing is written, and what `up` refuses is refused."""
    app_networks(project.config.security)
    now = status(project)
    if not now.postgres.running:
        folders = ", ".join(source.name for source in project_sources(project))
        steps = [f"start PostgreSQL {project.config.local.postgres} in {project.state}", f"apply the migrations of {folders}"]
    else:
        steps = [f"apply {name}" for name in pending_migrations(project)]
    if project.config.local.valkey and not project.is_external and not now.valkey.running:
        steps.append("start Valkey")
    return (*steps, *(() if now.agent.running else ("start the agent",)))


def _bring_up(project: Project, layout: Layout, report: Report) -> Status:
    memory = ensure_postgres(project, layout, report)
    memory = ensure_valkey(project, layout, memory, report)
    apply_migrations(project, report)
    if project.has_reference_schema:
        with connect(project, "owner", application="pgkeel up") as owner:
            ensure_keys(project, owner)
    ensure_audit(project, report)
    erase_again(project, report)
    ensure_protection(project, report)
    ensure_agent(project, layout, report)
    return status(project)
