"""`pgkeel local`: the PostgreSQL releases of the embedded stack."""

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.groups import Group
from pgkeel.local import Account, Runtime, add_runtime, choose_account, installed_runtimes
from pgkeel.postgres.server import MAJORS

__all__ = ["local"]


@click.group(cls=Group)
def local() -> None:
    """Add PostgreSQL majors to the embedded stack."""


@local.command()
@click.argument("majors", metavar="MAJOR…", nargs=-1, required=True, type=click.Choice([str(major) for major in MAJORS]))
@answers
def add(majors: tuple[str, ...]) -> Answer:
    """Fetch the pinned release of a major and unpack it; one that is here already is only tried."""
    account = _account()
    return _answer([add_runtime(int(major), account=account, report=talk) for major in majors])


@local.command(name="list")
@answers
def list_() -> Answer:
    """List the releases that the embedded stack can use here."""
    return _answer(installed_runtimes(account=_account()))


def _account() -> Account:
    return choose_account(current_project().config.local.run_as)


def _answer(runtimes: list[Runtime]) -> Answer:
    shown = [{"major": one.major, "version": one.version, "folder": str(one.folder)} for one in runtimes]
    text = "\n".join(f"{one.version:<6} {one.folder}" for one in runtimes)
    return Answer({"runtimes": msgspec.to_builtins(shown)}, text or "no release is here; `pgkeel local add 17` brings one")
