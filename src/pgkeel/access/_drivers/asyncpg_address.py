"""Say to asyncpg what a libpq address means, TLS included: with verify-full it trusts the named authority and no other."""

import ssl
from pathlib import Path
from typing import Any

from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url

__all__ = ["connect_arguments"]

_PASSED_ON = ("passfile", "target_session_attrs", "krbsrvname", "gsslib")
_SETTINGS = ("application_name", "client_encoding")
_NO_MEANING = frozenset(
    {"connect_timeout", "gssencmode", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"}
    | {"tcp_user_timeout", "fallback_application_name", "sslcompression", "sslsni"}
)
_TLS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "ssl_min_protocol_version", "sslcrl"})
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def connect_arguments(url: Url, settings: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect` for an address.

    Raises:
        ConfigError: An option has no meaning for asyncpg, so that leaving it out would weaken what was asked for.
    """
    options = dict(url.keywords())
    named = {"user": "user", "password": "password", "host": "host", "dbname": "database"}
    arguments: dict[str, Any] = {ours: options.pop(libpq) for libpq, ours in named.items() if libpq in options}
    if "port" in options:
        arguments["port"] = int(options.pop("port"))
    arguments |= {name: options.pop(name) for name in _PASSED_ON if name in options}
    given = {name: options.pop(name) for name in _SETTINGS if name in options} | _from_options(options.pop("options", ""))
    arguments["server_settings"] = {**settings, **given}
    if not url.host.startswith("/"):
        arguments["ssl"] = _tls({name: options.pop(name) for name in sorted(_TLS & options.keys())})
    _refuse_unknown({name: value for name, value in options.items() if name not in _NO_MEANING | _TLS})
    return arguments


def _from_options(text: str) -> dict[str, str]:
    """Return the settings in `-c name=value -c …`."""
    words = text.replace("-c ", "-c").replace("--", "-c").split()
    pairs = [word.removeprefix("-c").partition("=") for word in words]
    return {name.replace("-", "_"): value for name, _, value in pairs if name}


def _refuse_unknown(options: dict[str, str]) -> None:
    asked = {
        name
        for name, value in options.items()
        if (name, value) not in {("channel_binding", "prefer"), ("channel_binding", "disable")}
    }
    if asked:
        raise ConfigError(
            f"asyncpg cannot do what the address asks for: {', '.join(sorted(asked))}",
            hint='use driver="psycopg", or leave the option out',
        )


def _tls(options: dict[str, str]) -> "ssl.SSLContext | str | bool":
    mode = options.get("sslmode", "prefer")
    if mode not in _MODES:
        raise ConfigError(f"sslmode={mode} is not known", hint=f"one of {', '.join(_MODES)}")
    if "sslcrl" in options:
        raise ConfigError("asyncpg reads no revocation lists (sslcrl)", hint='use driver="psycopg"')
    if mode in {"disable", "allow", "prefer"}:
        return mode
    return _context(mode, options)


def _context(mode: str, options: dict[str, str]) -> ssl.SSLContext:
    root = _root_certificate(mode, options.get("sslrootcert", ""))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS.get(options.get("ssl_min_protocol_version", ""), ssl.TLSVersion.TLSv1_2)
    context.check_hostname = mode == "verify-full" or root == "system"
    context.verify_mode = ssl.CERT_REQUIRED if root else ssl.CERT_NONE
    if root == "system":
        context.load_default_certs()
    elif root:
        context.load_verify_locations(cafile=root)
    if "sslcert" in options:
        context.load_cert_chain(options["sslcert"], options.get("sslkey"), options.get("sslpassword"))
    return context


def _root_certificate(mode: str, named: str) -> str:
    """Return the file of the trusted authority, "system", or "" where libpq would not verify either."""
    if named == "system":
        return named
    path = Path(named) if named else Path.home() / ".postgresql" / "root.crt"
    if path.is_file():
        return str(path)
    if mode == "require" and not named:
        return ""
    raise ConfigError(f"the authority of sslmode={mode} is not a file: {path}", hint="sslrootcert=PATH, or sslrootcert=system")
