"""`pgkeel cache stats|keys|flush`: how the cache does, what lies in it, and to forget everything."""

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, confirm, current_project
from pgkeel.core.errors import Refused
from pgkeel.core.units import Size
from pgkeel.stack.valkey import cache_url

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Show or flush the cache."""


@cache.command("stats")
@answers
def stats_() -> Answer:
    """Show memory, keys and hits; exit 1 when reads may not use the server."""
    from pgkeel.cache.keeper import stats  # noqa: PLC0415 - needs the extra [cache]; the list of commands does not

    project = current_project()
    found = stats(cache_url(project), project.config.cache.namespace)
    asked = found.hits + found.misses
    lines = [
        f"server     {found.server}",
        f"trusted    {'yes' if found.is_trusted else f'no: {found.policy} drops marks; use volatile-lru or noeviction'}",
        f"filling    {'yes' if found.is_filling else 'no: just started or flushed, or never used'}",
        f"memory     {Size(found.used)} of {Size(found.limit) if found.limit else 'no limit'}, {found.policy}",
        f"keys       {found.keys}, {found.evicted} evicted",
        f"found      {found.hits / asked:.1%} of {asked} keys asked for" if asked else "found      nothing was asked for",
    ]
    return Answer(msgspec.to_builtins(found), "\n".join(lines), 0 if found.is_trusted else 1)


@cache.command("keys")
@answers
def keys_() -> Answer:
    """Show what lies in the namespace, by kind; names are keyed hashes and say nothing of what they name."""
    from pgkeel.cache.keeper import kinds  # noqa: PLC0415 - as above

    project = current_project()
    found = msgspec.to_builtins(kinds(cache_url(project), project.config.cache.namespace))
    return Answer(found, "\n".join(f"{kind:<10} {Size(number) if kind == 'bytes' else number}" for kind, number in found.items()))


@cache.command("flush")
@click.option("--dry-run", is_flag=True, help="Say how many keys would be deleted and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@answers
def flush_(*, dry_run: bool, yes: bool) -> Answer:
    """Forget everything that is cached; nothing is filled until writes under way are over. Safe to repeat."""
    from pgkeel.cache.keeper import count, flush  # noqa: PLC0415 - as above

    project = current_project()
    url, settings = cache_url(project), project.config.cache
    if dry_run:
        number = count(url, settings.namespace)
        return Answer({"keys": number, "dry_run": True}, f"would delete {number} keys of {settings.namespace}")
    if not confirm(f"Forget everything in {settings.namespace} on {url}?", yes=yes):
        raise Refused("nothing was flushed", hint="add --yes")
    number = flush(url, settings.namespace, round(settings.mark.total_seconds() * 1000))
    return Answer({"keys": number, "dry_run": False}, f"deleted {number} keys of {settings.namespace}")
