"""`pgkeel doctor`: can this machine run the stack?"""

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.core.project import Project
from pgkeel.local.doctor import Fact, Wish, examine
from pgkeel.stack.status import status

__all__ = ["doctor"]


@click.command()
@answers
def doctor() -> Answer:
    """Tell whether this machine can run the stack; exit 1 when something is missing."""
    facts = examine(_wish(current_project()))
    exit_code = 0 if all(fact.is_fine for fact in facts) else 1
    return Answer({"facts": msgspec.to_builtins(facts)}, "\n".join(_line(fact) for fact in facts), exit_code)


def _wish(project: Project) -> Wish:
    local = project.config.local
    ports = {"local.port": local.port} | ({"local.valkey_port": local.valkey_port} if local.valkey else {})
    return Wish(
        state=project.state,
        postgres=local.postgres,
        run_as=local.run_as,
        ports=ports,
        own_ports=_own_ports(project),
        needs_valkey=local.valkey,
    )


def _line(fact: Fact) -> str:
    mark = "✓" if fact.is_fine else "✗"
    return f"{mark} {fact.name:<18} {fact.value}" + (f"\n  → {fact.hint}" if fact.hint else "")


def _own_ports(project: Project) -> list[int]:
    """Return the ports on which this project's stack listens, which are rightly busy."""
    if project.is_external:
        return []
    found = status(project)
    servers = ((found.postgres.running, found.postgres.port), (found.valkey.running, found.valkey.port))
    return [port for is_running, port in servers if is_running and port is not None]
