"""Repositories as the configuration names them: a folder, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pgkeel.backup.bucket import Bucket
from pgkeel.backup.folder import Folder
from pgkeel.core.errors import ConfigError
from pgkeel.core.repository import Repository
from pgkeel.core.url import masked

__all__ = ["open_repository"]

_OPTIONS = frozenset({"endpoint", "region"})


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
    parsed = urlsplit(address)
    match parsed.scheme:
        case "s3":
            return _bucket(name, address)
        case "file":
            return Folder(name, Path(parsed.path), note=note)
        case "" if address:
            return Folder(name, root / address, note=note)
        case _:
            raise ConfigError(
                f"backup.repositories.{name}: {masked(address)!r} is no repository", hint="write a folder or s3://BUCKET/PREFIX"
            )


def _bucket(name: str, address: str) -> Bucket:
    parsed = urlsplit(address)
    options = {key: values[-1] for key, values in parse_qs(parsed.query, keep_blank_values=True).items()}
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown or not parsed.hostname or parsed.username or parsed.password:
        raise ConfigError(
            f"backup.repositories.{name}: an address has a bucket, a prefix, endpoint and region, and nothing else",
            hint="s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME; credentials are AWS_ACCESS_KEY_ID and its secret",
        )
    return Bucket(
        name, bucket=parsed.netloc, prefix=parsed.path.strip("/"), endpoint=options.get("endpoint"), region=options.get("region")
    )
