"""How the state of the stack reads: one line a part, a tick where it runs."""

import os
from typing import Any

import msgspec

from pgkeel.core.project import Project
from pgkeel.core.telling import counted
from pgkeel.stack import login_url
from pgkeel.stack.status import Status

__all__ = ["status_data", "status_text"]


def status_data(now: Status) -> dict[str, Any]:
    """Return the `data` object of `status --json` and `up --json`."""
    data: dict[str, Any] = msgspec.to_builtins(now)
    data["healthy"] = data.pop("is_healthy")
    return data


def status_text(project: Project, now: Status, *, step: str) -> str:
    """Return what a person reads; no password is in it."""
    lines = [_postgres(project, now), *_valkey(project, now), _migrations(now), _line(now.agent.running, "agent", _agent(now))]
    if now.postgres.running:
        lines.append(f"  address          {login_url(project, 'app').without_password().reveal()}")
    lines += [f"! {warning}" for warning in now.warnings]
    return "\n".join([*lines, f"Next: {step}"])


def _line(running: bool, name: str, text: str) -> str:
    return f"{'✓' if running else '✗'} {name:<16} {text}"


def _postgres(project: Project, now: Status) -> str:
    name = f"PostgreSQL {now.postgres.version or ''}".strip()
    if not now.postgres.running:
        return _line(False, name, "does not run")
    if project.is_external:
        return _line(True, name, str(project.external_url().without_password()))
    return _line(
        True, name, f"127.0.0.1:{now.postgres.port}/{project.config.database.name}   running as {now.account}{_why(now)}"
    )


def _why(now: Status) -> str:
    return " (you are root; PostgreSQL may not be)" if os.getuid() == 0 and now.account != "root" else ""


def _valkey(project: Project, now: Status) -> list[str]:
    if project.is_external or not project.config.local.valkey:
        return []
    text = f"127.0.0.1:{now.valkey.port}" if now.valkey.running else "does not run"
    return [_line(now.valkey.running, f"Valkey {now.valkey.version or ''}".strip(), text)]


def _migrations(now: Status) -> str:
    if not now.migrations.known:
        files = counted(now.migrations.files, "file")
        return _line(False, "migrations", f"{files}; which are applied is unknown while the database is down")
    return _line(not now.migrations.pending, "migrations", f"{now.migrations.applied} applied, {now.migrations.pending} pending")


def _agent(now: Status) -> str:
    if not now.agent.running:
        return "does not run"
    return "runs and leads" if now.agent.leader else "runs"
