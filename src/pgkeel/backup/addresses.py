"""Repositories as the configuration names them: a folder, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pgkeel.backup.bucket import Bucket
from pgkeel.backup.folder import Folder
from pgkeel.core.errors import ConfigError
from pgkeel.core.repository import Repository
from pgkeel.core.url import masked

__all__ = ["open_repository", "require_apart"]

_OPTIONS = frozenset({"endpoint", "region"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def open_repository(name: str, address: str, *, root: Path, note: Path | None = None) -> Repository:
    """Return the repository at an address; nothing is read or written yet.

    Args:
        name: What the configuration calls it.
        address: A folder, a `file://` URL, or an `s3://` one. Credentials are never in it: they come from AWS_* variables.
        root: Where a relative folder starts.
        note: See `Folder`.

    Raises:
        ConfigError: The address is none of these.
    """
    parsed = _split(name, address)
    match parsed.scheme:
        case "s3":
            return _bucket(name, address)
        case "file" if parsed.netloc in {"", "localhost"} and parsed.path.startswith("/"):
            return Folder(name, Path(unquote(parsed.path)), note=note)
        case "file":
            wrong = f"backup.repositories.{name}: {address!r} names no folder of this machine"
            raise ConfigError(wrong, hint="write the whole path, or file:///PATH with three slashes")
        case "" if address.startswith("~"):
            raise ConfigError(f"backup.repositories.{name}: {address!r}: nobody fills in ~ here", hint="write the whole path")
        case "" if address:
            return Folder(name, root / address, note=note)
        case _:
            raise ConfigError(
                f"backup.repositories.{name}: {masked(address)!r} is no repository", hint="write a folder or s3://BUCKET/PREFIX"
            )


def require_apart(repositories: Sequence[Repository]) -> None:
    """Prove that none lies in another: what is copied there would be copied again, and again.

    Raises:
        ConfigError: One does.
    """
    for outer, inner in itertools.permutations(repositories, 2):
        if _place(inner).is_relative_to(_place(outer)):
            raise ConfigError(
                f"backup.repositories.{inner.name} lies in {outer.name}: {_place(inner)}",
                hint="give each a place of its own, best on another disk",
            )


def _place(repository: Repository) -> PurePath:
    if isinstance(repository, Folder):
        return repository.root.resolve()
    return repository.place if isinstance(repository, Bucket) else PurePath(repository.name)


def _bucket(name: str, address: str) -> Bucket:
    parsed = _split(name, address)
    options = {key: values[-1] for key, values in parse_qs(parsed.query, keep_blank_values=True).items()}
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown or not _BUCKET.fullmatch(parsed.netloc) or parsed.fragment:
        raise ConfigError(
            f"backup.repositories.{name}: an address has a bucket, a prefix, endpoint and region, and nothing else",
            hint="s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME; credentials are AWS_ACCESS_KEY_ID and its secret",
        )
    prefix, endpoint, region = parsed.path.strip("/"), options.get("endpoint"), options.get("region")
    if not {"", ".", ".."}.isdisjoint(prefix.split("/")) and prefix:
        raise ConfigError(f"backup.repositories.{name}: the prefix {prefix!r} has a part that is no name", hint="write a/b")
    if endpoint is not None and not _is_web(name, endpoint):
        wrong = f"backup.repositories.{name}: the endpoint is not the address of a server"  # it may hold a password
        raise ConfigError(wrong, hint="write endpoint=https://HOST or endpoint=http://HOST:PORT")
    if region == "":
        raise ConfigError(f"backup.repositories.{name}: the region is empty", hint="leave it out, or write region=NAME")
    return Bucket(name, bucket=parsed.netloc, prefix=prefix, endpoint=endpoint, region=region)


def _is_web(name: str, endpoint: str) -> bool:
    parsed = _split(name, endpoint)
    is_bare = not parsed.query and not parsed.fragment and "@" not in parsed.netloc
    return parsed.scheme in {"http", "https"} and bool(parsed.hostname) and is_bare


def _split(name: str, address: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ConfigError: It is none.
    """
    try:
        parsed = urlsplit(address)
        _ = parsed.hostname, parsed.port
    except ValueError as err:
        raise ConfigError(f"backup.repositories.{name}: an address cannot be read: {err}", hint="s3://BUCKET/PREFIX") from None
    return parsed
