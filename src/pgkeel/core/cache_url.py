"""The address of a Valkey or Redis server, which prints without its password."""

import re
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret

__all__ = ["CacheUrl"]

_URL = re.compile(
    r"(?P<scheme>redis|rediss|valkey|valkeys|unix)(?:\+(?P<via>sentinel|cluster))?://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<places>(?:\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\],]*)(?::[0-9]{1,5})?(?:,(?:\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\],]+)(?::[0-9]{1,5})?)*)"
    r"(?P<path>/[^?#@]*)?(?:\?(?P<query>[^#@]*))?"
)
_PORTS = {"": "6379", "cluster": "6379", "sentinel": "26379"}
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
        via: Who is asked where the server is: "sentinel" or "cluster"; "" where it is `host`.
        seeds: Hosts and ports of Sentinels, or of some nodes of the cluster; the first that answers is believed.
        primary: The name that Sentinels know the server by.
    """

    user: str = ""
    password: Secret | None = None
    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    socket: str = ""
    is_tls: bool = False
    authority: str = ""
    via: str = ""
    seeds: tuple[tuple[str, int], ...] = ()
    primary: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address in a `redis://`, `rediss://`, `valkey://`, `valkeys://` or `unix://` URL.

        Raises:
            ConfigError: It is none. The text itself is never repeated: it may hold a password.
        """
        found = _URL.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise ConfigError("the cache URL is not one of Valkey or Redis", hint=_EXAMPLE)
        is_socket, via = found["scheme"] == "unix", found["via"] or ""
        options = _options(found["query"] or "")
        path = _decoded(found["path"] or "")
        primary, number = path.strip("/").rpartition("/")[::2] if via == "sentinel" else ("", path.strip("/"))
        if via == "sentinel" and not primary:
            primary, number = number, ""
        number = options.pop("db", "0") if is_socket else number or options.pop("db", "0")
        seeds = tuple(_place(one, _PORTS[via]) for one in found["places"].split(","))
        made = cls(
            user=_decoded(found["user"] or ""),
            password=Secret(_decoded(found["password"])) if found["password"] else None,
            host=seeds[0][0],
            port=seeds[0][1],
            database=_number(number, 2**31, "database"),
            socket=path if is_socket else "",
            is_tls=found["scheme"] in {"rediss", "valkeys"},
            authority=options.pop("authority", ""),
            via=via,
            seeds=seeds if via else (),
            primary=primary,
        )
        if options or (is_socket and (via or len(path) < 2)) or (len(seeds) > 1 and not via):
            raise ConfigError(
                "the cache URL has an option that is not known, no socket, or several hosts",
                hint="known are authority and db; several hosts go with redis+sentinel:// and redis+cluster://",
            )
        _require_name(made)
        return made

    def at(self, host: str, port: int) -> Self:
        """Return the address of one server that a Sentinel or a node of the cluster has named."""
        return msgspec.structs.replace(self, host=host, port=port, via="", seeds=(), primary="")

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
        after = f"?authority={quote(self.authority)}" if self.authority else ""
        scheme = ("rediss" if self.is_tls else "redis") + (f"+{self.via}" if self.via else "")
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self._places())
        name = f"{quote(self.primary, safe='')}/" if self.primary else ""
        return f"{scheme}://{before}{places}/{name}{self.database}{after}"

    def _places(self) -> tuple[tuple[str, int], ...]:
        return self.seeds or ((self.host, self.port),)


def _require_name(url: CacheUrl) -> None:
    if url.via == "sentinel" and not url.primary:
        raise ConfigError("the cache URL does not name what the Sentinels watch", hint="redis+sentinel://host:26379/NAME/0")
    if url.via == "cluster" and url.database:
        raise ConfigError("a cluster has one database only", hint="redis+cluster://host:6379,other:6379")


def _place(text: str, port: str) -> tuple[str, int]:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    return (host if colon else text).strip("[]") or "127.0.0.1", _number(number if colon else port, 65535, "port")


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
