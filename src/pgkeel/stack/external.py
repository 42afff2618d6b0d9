"""`up` on a database that is not ours: look first, and write only what was allowed in words."""

from pgkeel.core.errors import Refused
from pgkeel.core.project import Project
from pgkeel.core.telling import Report, counted
from pgkeel.stack.background import ensure_agent
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.migrate import apply_migrations, pending_migrations
from pgkeel.stack.protection import ensure_protection
from pgkeel.stack.status import Status, status

__all__ = ["NotAllowed", "up_external"]


class NotAllowed(Refused):
    """Migrations are pending, and nobody allowed `up` to write to this database."""

    code = "not_allowed"


def up_external(project: Project, *, yes: bool, report: Report) -> Status:
    """Apply the migrations and start the agent, if `yes` or `[database] manage = true` allows it.

    Raises:
        NotAllowed: Migrations are pending and neither does; nothing was written.
    """
    if not (yes or project.config.database.manage):
        _refuse_pending(project)
        return status(project)
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        apply_migrations(project, report)
        ensure_protection(project, report)
        ensure_agent(project, layout, report)
    return status(project)


def _refuse_pending(project: Project) -> None:
    pending = pending_migrations(project)
    if pending:
        raise NotAllowed(
            f"{counted(len(pending), 'pending migration')} on {project.external_url()}, and `up` may not write there",
            hint="`pgkeel up --yes` applies them once, [database] manage = true always",
            data={"pending": list(pending)},
        )
