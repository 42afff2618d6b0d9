"""What PostgreSQL is told: `postgresql.conf` and `pg_hba.conf`, outside the data so that the server cannot change its own rules."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pgkeel.local.runtime import Runtime

__all__ = ["access_lines", "configuration_text", "quoted"]

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
}
_TLS = {
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "authority.crt",
    "ssl_min_protocol_version": "TLSv1.3",
}


def configuration_text(
    *, runtime: Runtime, data: Path, folder: Path, places: Mapping[str, str], settings: Mapping[str, str], has_tls: bool
) -> str:
    """Return `postgresql.conf`: what initdb found out, our defaults, the caller's settings, and last the places, which nobody overrides.

    Args:
        runtime: Whose settings exist.
        data: The data directory.
        folder: Where this file and its neighbours lie.
        places: Port, sockets, log folder.
        settings: The caller's.
        has_tls: Whether certificate and key lie in `folder`.
    """
    values = dict(_ALWAYS)
    if runtime.major >= 17:
        values["summarize_wal"] = "on"
    if has_tls:
        values |= {name: str(folder / value) if name.endswith("_file") else value for name, value in _TLS.items()}
    values |= settings
    values |= {**places, "hba_file": str(folder / "pg_hba.conf"), "listen_addresses": "127.0.0.1"}
    lines = [f"include_if_exists = {quoted(str(data / 'postgresql.conf'))}"]
    lines += [f"{name} = {quoted(value)}" for name, value in values.items()]
    return "# written by pgkeel at every start\n" + "\n".join(lines) + "\n"


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
