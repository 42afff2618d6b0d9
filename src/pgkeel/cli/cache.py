"""`pgkeel cache stats|keys|explain|flush`: how it does, what lies in it, what a read would do, and to forget everything."""

from typing import TYPE_CHECKING

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, confirm, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.errors import Refused
from pgkeel.core.telling import counted
from pgkeel.core.units import Size
from pgkeel.stack.valkey import cache_url

if TYPE_CHECKING:
    from pgkeel.cache.advice import Benefit

__all__ = ["cache"]


@click.group(cls=Group)
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
        *(_line(name, one) for name, one in found.models.items()),
    ]
    return Answer(msgspec.to_builtins(found), "\n".join(lines), 0 if found.is_trusted else 1)


def _line(name: str, one: "Benefit") -> str:
    hit, miss, load = (f"{part.total_seconds() * 1000:.2f} ms" for part in (one.hit, one.miss, one.load))
    line = f"{name:<10} {one.hit_rate:.1%} of {one.reads} reads hit in {hit}; a miss takes {miss}, {load} of it the database"
    return f"{line}\n{'':<10} {one.advice}" if one.advice else line


@cache.command("explain")
@click.argument("model")
@click.argument("key")
@answers
def explain_(model: str, key: str) -> Answer:
    """Say what reading the row KEY of MODEL (or of a table) through the cache would do now, and why; exit 1 where it misses.

    A key of several columns is a JSON list.
    """
    from pgkeel.stack.explaining import explain_row  # noqa: PLC0415 - needs the extra [cache]

    found = explain_row(current_project(), model, key)
    lines = [
        f"read       {'hit' if found.is_hit else 'miss'}: {found.why}",
        f"holds      {found.holds}, {Size(found.size)}",
        f"key        {found.key}",
        f"generation {found.generation or 'none yet'}" + (f", filled under {found.filled_under}" if found.filled_under else ""),
        f"marks      {', '.join(f'{mark.total_seconds():.1f} s left' for mark in found.marks) or 'none'}",
        f"struct     {found.shape or 'none'}" + (f", today {found.expected}" if found.expected else ""),
        f"lives for  {found.lives_for.total_seconds():.0f} s" if found.lives_for is not None else "lives for  -",
        f"age        {found.age.total_seconds():.0f} s at most" if found.age is not None else "age        not known",
    ]
    return Answer(msgspec.to_builtins(found), "\n".join(lines), 0 if found.is_hit else 1)


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
        return Answer({"keys": number, "dry_run": True}, f"would delete {counted(number, 'key')} of {settings.namespace}")
    if not confirm(f"Forget everything in {settings.namespace} on {url}?", yes=yes):
        raise Refused("nothing was flushed", hint="add --yes")
    number = flush(url, settings.namespace, round(settings.mark.total_seconds() * 1000))
    return Answer({"keys": number, "dry_run": False}, f"deleted {counted(number, 'key')} of {settings.namespace}")
