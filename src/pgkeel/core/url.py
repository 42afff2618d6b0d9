"""A database address that prints without its password, read from a URL or from a keyword DSN."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NoReturn, Self
from urllib.parse import quote, unquote, urlencode

from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret

__all__ = ["Url", "masked", "redacted"]

# what may be printed (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS): behind any other name, a
# mistyped one or a whole line of an `.env`, a password may stand
_PUBLIC_OPTIONS = frozenset(
    [
        "hostaddr",
        "passfile",
        "require_auth",
        "channel_binding",
        "connect_timeout",
        "client_encoding",
        "options",
        "application_name",
        "fallback_application_name",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "replication",
        "gssencmode",
        "sslmode",
        "requiressl",
        "sslnegotiation",
        "sslcompression",
        "sslcert",
        "sslkey",
        "sslkeylogfile",
        "sslcertmode",
        "sslrootcert",
        "sslcrl",
        "sslcrldir",
        "sslsni",
        "requirepeer",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "min_protocol_version",
        "max_protocol_version",
        "krbsrvname",
        "gsslib",
        "gssdelegation",
        "service",
        "servicefile",
        "target_session_attrs",
        "load_balance_hosts",
        "oauth_issuer",
        "oauth_client_id",
        "oauth_scope",
    ]
)
_SECRET_OPTIONS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
_SCHEME = re.compile(r"\s*([A-Za-z0-9.-]*)(?:\+[A-Za-z0-9.+-]*)?://")  # what stands in a keyword's value begins no URL
_KEYWORD = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.)*)\s*", re.DOTALL)
_UNQUOTED_AT = re.compile(r"(?<![?&]host=)@")
_LOGIN = re.compile(r"(://[^/?#\s:]*:)\S*@")
_SECRET_PAIR = re.compile(r"([?&][^=&\s]*(?:secret|key|passw|token|credential)[^=&\s]*=)[^&\s]*", re.IGNORECASE)
_SECRET_WORD = re.compile(
    r"((?<![?&\w-])[\w-]*(?:passw|secret|token|credential|access.key|cipher.pass)[\w-]*(?:[\"']\s*:|\s*=)\s*)"
    r"(?:'(?:[^'\\]|\\.)*(?:'|$)|\"(?:[^\"\\]|\\.)*(?:\"|$)|(?:[^\s\\]|\\.)+)",
    re.IGNORECASE | re.DOTALL,
)
_NAMED = ("user", "password", "host", "port", "dbname")


class Url:
    """Where a database is and who logs in. `str` and `repr` are redacted; `reveal()` is the only way out.

    Attributes:
        user: Login role, or "".
        host: Host name, address or socket folder, or "".
        port: TCP port or the number in the socket's name; None for the driver's default.
        database: Database name, or "".
        options: Further options of libpq in their order, without those that may be secret.
        password: The password, or None.
    """

    __slots__ = ("_secrets", "database", "host", "options", "password", "port", "user")

    def __init__(
        self,
        *,
        user: str = "",
        host: str = "",
        port: int | None = None,
        database: str = "",
        password: Secret | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts; options that are or may be secrets are kept apart and never printed."""
        given = dict(options or {})
        self.user = user
        self.host = host
        self.port = port
        self.database = database
        self.password = password
        self._secrets = {name: Secret(given.pop(name)) for name in sorted(given.keys() - _PUBLIC_OPTIONS)}
        self.options: Mapping[str, str] = MappingProxyType(given)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address in a `postgresql://` URL or a `host=… user=…` keyword DSN.

        Raises:
            ConfigError: It is neither. The text itself is never repeated: it may hold a password.
        """
        begun = _SCHEME.match(text)
        if begun is None:
            return cls._from_keywords(text)
        if begun[1] not in {"postgresql", "postgres"}:
            raise ConfigError("the database URL does not start with postgresql://", hint="postgresql://user@host:5432/name")
        return cls._from_url(text[begun.end() :].rstrip())

    @classmethod
    def _from_url(cls, rest: str) -> Self:
        network = re.split("[/?]", rest, maxsplit=1)[0]
        if _UNQUOTED_AT.search(rest, len(network)):  # half a password would be taken for the database and printed
            raise ConfigError("the database URL has an @ where none can be", hint="write / ? @ in a password as %2F %3F %40")
        path, _, query = rest[len(network) :].partition("?")
        login, _, place = network.rpartition("@")
        user, has_password, password = login.partition(":")
        host, port = _split_host(place)
        values = {
            "user": _decoded(user),
            "host": _decoded(host),
            "port": port,
            "dbname": _decoded(path.removeprefix("/")),
            **({"password": _decoded(password)} if has_password else {}),
        }
        options = {name: _decoded(value) for name, value in _pairs(query)}
        return cls._from_values({name: value for name, value in values.items() if value} | options)

    @classmethod
    def _from_keywords(cls, text: str) -> Self:
        values: dict[str, str] = {}
        position = 0
        while position < len(text.rstrip()):
            match = _KEYWORD.match(text, position)
            if match is None:
                raise ConfigError("the database address is neither a URL nor a keyword DSN", hint="host=… user=… dbname=…")
            raw = match[2][1:-1] if match[2].startswith("'") else match[2]
            values[match[1]] = re.sub(r"\\(.)", r"\1", raw, flags=re.DOTALL)
            position = match.end()
        return cls._from_values(values)

    @classmethod
    def _from_values(cls, values: Mapping[str, str]) -> Self:
        port = values.get("port", "")
        if "," in port or ("," in values.get("host", "") and ":" in values["host"]):
            raise ConfigError("several hosts with ports in one address are not supported", hint="name one host")
        if port and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
            raise ConfigError("the port of the database address is not a number from 1 to 65535", hint="correct the port")
        return cls(
            user=values.get("user", ""),
            host=values.get("host", ""),
            port=int(port) if port else None,
            database=values.get("dbname", ""),
            password=Secret(values["password"]) if "password" in values else None,
            options={name: value for name, value in values.items() if name not in _NAMED},
        )

    @property
    def has_secrets(self) -> bool:
        """Whether a password, or an option that is as secret, stands in the address itself."""
        return self.password is not None or bool(self._secrets)

    @property
    def unknown_options(self) -> tuple[str, ...]:
        """The names of what is no option of libpq."""
        return tuple(name for name in self._secrets if name not in _SECRET_OPTIONS)

    def with_options(self, **options: str) -> "Url":
        """Return the same address with options added or replaced."""
        return self._copy(options={**self.options, **options})

    def with_database(self, database: str) -> "Url":
        """Return the same address for another database of the server."""
        return self._copy(database=database)

    def with_login(self, user: str, password: Secret | None = None) -> "Url":
        """Return the same address for another login."""
        return self._copy(user=user, password=password)

    def without_password(self) -> "Url":
        """Return the same address with nothing secret in it."""
        return Url(user=self.user, host=self.host, port=self.port, database=self.database, options=self.options)

    def _copy(self, **changes: object) -> "Url":
        hidden = {name: secret.reveal() for name, secret in self._secrets.items()}
        parts: dict[str, object] = {"user": self.user, "host": self.host, "port": self.port, "database": self.database}
        parts |= {"password": self.password, "options": self.options} | changes
        parts["options"] = {**hidden, **parts["options"]}  # type: ignore[dict-item]
        return Url(**parts)  # type: ignore[arg-type]

    def keywords(self) -> dict[str, str]:
        """Return libpq keywords, the password included: for a driver's `connect`, never for printing."""
        named = {"user": self.user, "host": self.host, "port": str(self.port or ""), "dbname": self.database}
        if self.password is not None:
            named["password"] = self.password.reveal()
        hidden = {name: secret.reveal() for name, secret in self._secrets.items()}
        return {name: value for name, value in named.items() if value} | dict(self.options) | hidden

    def reveal(self) -> str:
        """Return the URL with its password."""
        return self._text(self.password.reveal() if self.password else None, hidden=True)

    def _text(self, password: str | None, *, hidden: bool) -> str:
        login = quote(self.user, safe="") + (":" + quote(password, safe="*") if password is not None else "")
        options = dict(self.options)
        host = self.host
        if host.startswith(("/", "@")):  # a socket folder cannot stand before the path in a URL
            options = {"host": host, **({"port": str(self.port)} if self.port else {}), **options}
            place = ""
        else:
            place = (f"[{host}]" if ":" in host else host) + (f":{self.port}" if self.port else "")
        options |= {name: secret.reveal() if hidden else "***" for name, secret in self._secrets.items()}
        query = urlencode(options, quote_via=quote, safe="/*:,")
        return f"postgresql://{login}{'@' if login else ''}{place}/{quote(self.database, safe='')}" + (
            f"?{query}" if query else ""
        )

    def __str__(self) -> str:
        """Return the URL with `***` for the password."""
        return self._text("***" if self.password else None, hidden=False)

    def __repr__(self) -> str:
        """Return the redacted URL."""
        return f"Url({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        """Compare every part, passwords in constant time."""
        return isinstance(other, Url) and self._key() == other._key()

    def __hash__(self) -> int:
        """Hash the parts that are not secret."""
        return hash((self.user, self.host, self.port, self.database, tuple(self.options.items())))

    def _key(self) -> tuple[object, ...]:
        return (self.user, self.host, self.port, self.database, self.password, dict(self.options), self._secrets)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the password would travel in clear."""
        raise TypeError("a Url cannot be pickled; send reveal() on purpose")


def redacted(text: str, parse: Callable[[str], object] = Url.parse) -> str:
    """Return an address as it may be printed; `env:` and `file:` references as they are, what is neither as `***`."""
    if text.startswith(("env:", "file:")):
        return text
    try:
        return str(parse(text))
    except ConfigError:
        return "***"


def masked(text: str) -> str:
    """Return any text with `***` for the passwords in it: of URLs, of keyword addresses, of variables, in JSON.

    Whoever cuts the text does so after this: half an address is not known as one.
    """
    return _SECRET_WORD.sub(r"\1***", _SECRET_PAIR.sub(r"\1***", _LOGIN.sub(r"\1***@", text)))


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as err:
        raise ConfigError("the database URL has a %-sequence that is not UTF-8", hint="encode it as UTF-8, then as %XX") from err


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    """Yield the options of a URL as libpq reads them: a plus sign is a plus sign."""
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if not re.fullmatch(r"\w+", name):
            raise ConfigError(
                "the database URL has an option without a proper name", hint="write ? and & in a password as %3F %26"
            )
        yield name, value


def _split_host(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":")
    host, separator, port = place.rpartition(":")
    return (host, port) if separator else (place, "")
