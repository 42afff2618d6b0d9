"""`pgkeel security tls init|renew|status`: the certificates that clients verify."""

from pathlib import Path

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.groups import Group
from pgkeel.security.tls_renewal import Certificate, Step, announced, certificates, missing
from pgkeel.stack.tls import folder_for, init_tls, renew_tls, tls_status

__all__ = ["tls"]

_DIRECTORY = click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
_HOST = click.option("--host", "hosts", multiple=True, help="A name or address of the server; may be given again.")
_NOTE = "asyncpg has no channel binding: it trusts only the authority of `sslrootcert`; psycopg binds to the certificate"


@click.group(cls=Group)
def tls() -> None:
    """Certificates of the server, and of the authority that clients trust."""


@tls.command()
@_DIRECTORY
@_HOST
@click.option("--dry-run", is_flag=True, help="Say what would be made; write nothing.")
@answers
def init(directory: Path | None, hosts: tuple[str, ...], *, dry_run: bool) -> Answer:
    """Make an authority and a server certificate in DIRECTORY, for a server elsewhere; what is there stays."""
    if dry_run:
        files = [str(file) for file in missing(folder_for(current_project(), directory), hosts)]
        return Answer({"would_make": files}, "\n".join(f"would make {file}" for file in files) or "nothing is missing")
    folder = init_tls(current_project(), directory, hosts)
    settings = {
        "ssl": "on",
        "ssl_cert_file": str(folder.certificate.resolve()),
        "ssl_key_file": str(folder.key.resolve()),
        "ssl_min_protocol_version": "TLSv1.3",
    }
    access = "hostssl all all 10.0.0.0/8 scram-sha-256"
    found = certificates(folder)
    if absent := [host for host in hosts if not any(host in one.sans for one in found)]:
        again = " ".join([*([str(directory)] if directory else []), *(f"--host {host}" for host in hosts)])
        talk(f"what is there does not name {', '.join(absent)}: `pgkeel security tls renew {again}` makes one that does")
    lines = [*map(_line, found), "", "in postgresql.conf:", *(f"  {name} = '{value}'" for name, value in settings.items())]
    lines += ["in pg_hba.conf, instead of every `host` line (with your network):", f"  {access}"]
    lines += ["clients:", f"  sslmode=verify-full sslrootcert={folder.authority.resolve()}"]
    data = {
        "certificates": msgspec.to_builtins(found),
        "settings": settings,
        "pg_hba": access,
        "authority": str(folder.authority),
    }
    return Answer(data, "\n".join(lines))


@tls.command()
@_DIRECTORY
@answers
def status(directory: Path | None) -> Answer:
    """Show each certificate, its hosts and its end; exit 1 when one ends within 30 days or does not serve, or there is none."""
    found = tls_status(current_project(), directory)
    makes = "`pgkeel up`" if directory is None else f"`pgkeel security tls init {directory}`"
    text = "\n".join([*map(_line, found), _NOTE]) if found else f"there is no certificate; {makes} makes one"
    is_fine = bool(found) and all(one.is_fine for one in found)
    return Answer({"certificates": msgspec.to_builtins(found), "notes": [_NOTE]}, text, 0 if is_fine else 1)


@tls.command()
@_DIRECTORY
@_HOST
@click.option(
    "--authority",
    "step",
    type=click.Choice(["announce", "switch", "retire"]),
    help="Replace the authority, in three steps: announce the next one to clients, let it sign, take the old one out.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@answers
def renew(directory: Path | None, hosts: tuple[str, ...], step: Step | None, *, dry_run: bool) -> Answer:
    """Give the server a new certificate; a running stack reads it at once and no connection is dropped."""
    project = current_project()
    folder = folder_for(project, directory)
    before = certificates(folder)
    if dry_run and step == "switch":
        announced(folder)
    if not dry_run:
        renew_tls(project, directory, step=step, hosts=hosts, report=talk)
    after = certificates(folder)
    has_nothing_to_do = step == "retire" and not any(one.name == "old authority" for one in before)
    would = "there is no old authority to take out" if has_nothing_to_do else f"would {_STEPS[step]}"
    text = would if dry_run else "\n".join(map(_line, after))
    data = {"dry_run": dry_run, "step": step, "before": msgspec.to_builtins(before), "certificates": msgspec.to_builtins(after)}
    return Answer(data, text)


_STEPS: dict[Step | None, str] = {
    None: "write a new server certificate, signed by the present authority",
    "announce": "put the next authority beside the present one into the file that clients trust",
    "switch": "let the announced authority sign, and give the server a certificate of it",
    "retire": "take the old authority out of the file that clients trust",
}


def _line(one: Certificate) -> str:
    hosts = f" for {', '.join(one.sans)}" if one.sans else ""
    problem = f"\n  → {one.problem}" if one.problem else ""
    return f"{'✗' if one.is_due or one.problem else '✓'} {one.name:<15} until {one.not_after:%Y-%m-%d}{hosts}{problem}"
