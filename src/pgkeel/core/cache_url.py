"""The address of a Valkey or Redis server, which prints without its password."""

import re
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret

__all__ = ["CacheUrl"]

_URL = re.compile(
    r"(?P<scheme>redis|rediss|valkey|valkeys|unix)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\]]*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#@]*)?(?:\?(?P<query>[^#@]*))?"
)
_EXAMPLE = "redis://user@host:6379/0, rediss://… for TLS, or unix:///path/of/the.sock; write / ? # @ : in a password as %2F …"


class CacheUrl(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cache server is and who logs in. `str` and `repr` are redacted; `reveal()` is the only way out.

    Attributes:
        user: The ACL user, or "" for `default`.
        password: Its password, or None.
        host: Host name or address; unused with a socket.
        port: TCP port.
        database: Number of the database.
        socket: Path of the unix socket, or "".
        is_tls: Whether the connection is encrypted and the server's certificate verified.
        authority: File of the certificate that signs the server's; "" trusts what the system trusts.
    """

    user: str = ""
    password: Secret | None = None
    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    socket: str = ""
    is_tls: bool = False
    authority: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address in a `redis://`, `rediss://`, `valkey://`, `valkeys://` or `unix://` URL.

        Raises:
            ConfigError: It is none. The text itself is never repeated: it may hold a password.
        """
        found = _URL.fullmatch(text.strip())
        if found is None:
            raise ConfigError("the cache URL is not one of Valkey or Redis", hint=_EXAMPLE)
        is_socket = found["scheme"] == "unix"
        options = _options(found["query"] or "")
        path = _decoded(found["path"] or "")
        number = options.pop("db", "0") if is_socket else path.strip("/") or options.pop("db", "0")
        made = cls(
            user=_decoded(found["user"] or ""),
            password=Secret(_decoded(found["password"])) if found["password"] else None,
            host=found["host"].strip("[]") or "127.0.0.1",
            port=_number(found["port"] or "6379", 65535, "port"),
            database=_number(number, 2**31, "database"),
            socket=path if is_socket else "",
            is_tls=found["scheme"] in {"rediss", "valkeys"},
            authority=options.pop("authority", ""),
        )
        if options or (is_socket and len(path) < 2):
            raise ConfigError("the cache URL has an option that is not known, or no socket", hint="known are authority and db")
        return made

    def reveal(self) -> str:
        """Return the URL with its password."""
        return self._text(quote(self.password.reveal(), safe="") if self.password else "")

    def __str__(self) -> str:
        """Return the URL with `***` for the password."""
        return self._text("***" if self.password else "")

    def __repr__(self) -> str:
        """Return the redacted URL."""
        return f"CacheUrl({str(self)!r})"

    def _text(self, password: str) -> str:
        login = f"{quote(self.user, safe='')}{f':{password}' if password else ''}"
        before = f"{login}@" if login else ""
        if self.socket:
            return f"unix://{before}{quote(self.socket)}?db={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        after = f"?authority={quote(self.authority)}" if self.authority else ""
        return f"{'rediss' if self.is_tls else 'redis'}://{before}{host}:{self.port}/{self.database}{after}"


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as err:
        raise ConfigError("the cache URL has a %-sequence that is not UTF-8", hint="encode it as UTF-8, then as %XX") from err


def _options(query: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in query.split("&") if part]
    return {name: _decoded(value) for name, _, value in pairs}


def _number(text: str, most: int, what: str) -> int:
    if re.fullmatch("[0-9]{1,10}", text) is None or int(text) > most:
        raise ConfigError(f"the {what} of the cache URL is not a number up to {most}", hint=_EXAMPLE)
    return int(text)
