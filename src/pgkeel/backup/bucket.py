"""A repository in an S3-compatible bucket: every put is conditional, and credentials come from the usual AWS_* variables."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from pgkeel.backup.errors import ObjectLocked, RepositoryFailed, RepositoryUnreachable
from pgkeel.backup.keys import is_key, require_key
from pgkeel.backup.object_lock import LockVerdict, locked_until, probe_lock
from pgkeel.backup.signing import Bucketside
from pgkeel.core.errors import ConfigError
from pgkeel.core.repository import Stored
from pgkeel.core.secret import Secret

__all__ = ["Bucket"]

_PATIENCE = timedelta(minutes=2)
_ROLE_OF_A_MACHINE = "/latest/api/token"  # asked of the cloud where no variable gives credentials, and refused elsewhere
_NO_BUCKET = "404 Not Found"  # of a listing; an object that is not there is no error
_NO_ANSWER = "error sending request"
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_REGION = "us-east-1"  # what S3 servers that are not Amazon's take


class Bucket:
    """Objects below a prefix of a bucket.

    Attributes:
        name: What the configuration calls it.
        place: Server, bucket and prefix.
    """

    def __init__(
        self,
        name: str,
        *,
        bucket: str,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        patience: timedelta = _PATIENCE,
    ) -> None:
        """Take the address; nothing is asked of the network yet.

        Args:
            name: What the configuration calls it.
            bucket: It exists.
            prefix: Where in the bucket.
            endpoint: Address of a server that is not Amazon's; `http://` is taken at its word.
            region: Region of the bucket.
            patience: How long one request is retried after errors and throttling.

        Raises:
            ConfigError: A variable of the credentials holds what no request can carry.
        """
        _require_readable()
        self.name = name
        self._prefix = prefix
        place = region or _REGION
        self._endpoint = endpoint or f"https://s3.{place}.amazonaws.com"
        self.place = PurePosixPath(self._endpoint, bucket, prefix)
        self._side = Bucketside(self._endpoint, bucket, place)
        given = {"endpoint": endpoint, "region": region}
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http://"))},
            retry_config={"max_retries": 10 if patience else 0, "retry_timeout": patience},
            **{key: value for key, value in given.items() if value is not None},  # type: ignore[arg-type]
        )

    def put(self, key: str, content: bytes | memoryview) -> bool:
        """Store an object whole and durably; return False, and change nothing, when the key is taken.

        Raises:
            RepositoryUnreachable: Nobody answers, or the credentials are refused.
            RepositoryFailed: The server said no.
        """
        require_key(key)
        with self._explained(key):
            try:
                obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str) -> bytes | None:
        """Return an object as it lies there now, or None when there is none."""
        require_key(key)
        with self._explained(key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield the objects below a prefix of whole parts, in the order of their keys."""
        with self._explained(prefix):
            found = [one for batch in obstore.list(self._store, prefix or None) for one in batch]
        ours = sorted((one for one in found if is_key(one["path"])), key=lambda one: one["path"])
        yield from (Stored(one["path"], one["size"], one["last_modified"]) for one in ours)

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is fine.

        Raises:
            ObjectLocked: The server refuses this, although it takes and gives objects: it is locked, or the login may not delete.
        """
        require_key(key)
        try:
            with self._explained(key), contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, key)
        except RepositoryUnreachable as err:
            if isinstance(err.__cause__, PermissionDeniedError):
                raise ObjectLocked(f"repository {self.name}: {key} may not be deleted", hint="wait until its lock ends") from err
            raise

    def locked_until(self, key: str) -> datetime | None:
        """Return until when an object may not be deleted (object lock), or None where it may.

        Raises:
            RepositoryUnreachable: Nobody answers.
        """
        require_key(key)
        return locked_until(self._side, f"{self._prefix}/{key}".lstrip("/"))

    def probe_lock(self) -> LockVerdict:
        """Prove that the bucket refuses to delete a locked version, by trying.

        Raises:
            RepositoryUnreachable: Nobody answers.
        """
        return probe_lock(self._side, self._prefix)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        where = f"repository {self.name}: {key or 'listing'}"
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as err:
            raise RepositoryUnreachable(
                f"{where}: the credentials are refused", hint="renew AWS_ACCESS_KEY_ID and its secret"
            ) from err
        except GenericError as err:  # no answer, or errors until the patience ended
            if _NO_BUCKET in str(err):
                raise RepositoryFailed(f"{where}: there is no such bucket", hint="make it, or correct the address") from err
            if _ROLE_OF_A_MACHINE in str(err):
                hint = "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                raise RepositoryUnreachable(f"{where}: there are no credentials", hint=hint) from err
            silent = f"nobody answers at {self._endpoint}" if _NO_ANSWER in str(err) else None
            raise RepositoryUnreachable(
                f"{where}: {silent or _first_line(err)}", hint="check the endpoint and the network"
            ) from err
        except (BaseError, FileNotFoundError) as err:
            raise RepositoryFailed(f"{where}: {_first_line(err)}", hint="check that the bucket exists") from err


def _require_readable() -> None:
    """Refuse a line break in a variable, as `echo KEY | base64` leaves one: the library would end in a panic."""
    for name in _VARIABLES:
        try:
            value = Secret.from_reference(f"env:{name}").reveal()
        except ConfigError:
            continue
        if not value.isprintable():
            raise ConfigError(f"{name} holds a line break or another sign that none has", hint=f"export {name} without it")


def _first_line(err: Exception) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0]
