"""What PostgreSQL is told: `postgresql.conf` and `pg_hba.conf`, outside the data, so that it cannot change its own rules."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pgkeel.local.files import write_file, write_private
from pgkeel.local.folders import make_folder
from pgkeel.local.plan import Plan

__all__ = ["access_lines", "quoted", "write_configuration"]

_HEADER = "# written by pgkeel at every start\n"

_ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements,auto_explain",
    "wal_level": "replica",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "default_text_search_config": "pg_catalog.english",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_error_verbosity": "terse",  # DETAIL carries whole rows, and the values of slow statements
    "log_parameter_max_length": "0",
}
_TLS = {
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "authority.crt",
    "ssl_min_protocol_version": "TLSv1.3",
}


def write_configuration(plan: Plan, *, data: Path, places: Mapping[str, str]) -> Path:
    """Write the files of `conf/` and return `postgresql.conf`.

    Args:
        plan: Its settings win over ours.
        data: The data directory.
        places: Port, sockets, log folder: nobody overrides them.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    folder = make_folder(plan.directory / "conf")
    if plan.tls:
        write_file(folder / "server.crt", plan.tls.certificate.read_bytes())
        write_file(folder / "authority.crt", plan.tls.authority.read_bytes())
        write_private(folder / "server.key", plan.tls.key.read_bytes(), plan.account, shared=True)
    lines = access_lines(has_tls=plan.tls is not None) if plan.access is None else plan.access
    write_file(folder / "pg_hba.conf", _HEADER + "\n".join(lines) + "\n")
    write_file(folder / "postgresql.conf", _text(plan, data, folder, places))
    return folder / "postgresql.conf"


def _text(plan: Plan, data: Path, folder: Path, places: Mapping[str, str]) -> str:
    """Return `postgresql.conf`: what initdb found out, our defaults, the caller's settings, and last the places."""
    values = dict(_ALWAYS)
    if plan.runtime.major >= 17:
        values["summarize_wal"] = "on"
    if plan.tls:
        values |= {name: str(folder / value) if name.endswith("_file") else value for name, value in _TLS.items()}
    values |= plan.settings
    listens = "127.0.0.1" if plan.listens else ""
    values |= {**places, "hba_file": str(folder / "pg_hba.conf"), "listen_addresses": listens, "cluster_name": plan.name}
    lines = [f"include_if_exists = {quoted(str(data / 'postgresql.conf'))}"]
    lines += [f"{name} = {quoted(value)}" for name, value in values.items()]
    return _HEADER + "\n".join(lines) + "\n"


def access_lines(*, has_tls: bool) -> Sequence[str]:
    """Return the lines of `pg_hba.conf` when the caller has none: SCRAM everywhere, the superuser on the socket alone."""
    kind = "hostssl" if has_tls else "host"
    return (
        "local all all scram-sha-256",
        "local replication all scram-sha-256",
        "host all postgres all reject",
        "host replication postgres all reject",
        f"{kind} all all 127.0.0.1/32 scram-sha-256",
        f"{kind} replication all 127.0.0.1/32 scram-sha-256",
    )


def quoted(value: str) -> str:
    """Return a value as `postgresql.conf` wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
