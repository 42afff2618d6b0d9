"""Requests to an S3 server that the object store's library does not make: signed by hand (AWS Signature Version 4)."""

import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from pgkeel.backup.errors import RepositoryUnreachable
from pgkeel.core import clock
from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret

__all__ = ["Answer", "Bucketside", "sign"]

_SECONDS = 30
_SERVICE = "s3"


class Answer(msgspec.Struct, frozen=True):
    """What the server said.

    Attributes:
        status: Its code.
        headers: In lower case.
        body: Whole.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Bucketside(msgspec.Struct, frozen=True):
    """One bucket of a server, asked with the credentials of the usual AWS_* variables.

    Attributes:
        endpoint: Address of the server.
        bucket: Its name.
        region: Its region.
    """

    endpoint: str
    bucket: str
    region: str

    def ask(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request and return the answer, whatever it says.

        Raises:
            RepositoryUnreachable: Nobody answers, or there are no credentials.
        """
        parsed = urlsplit(self.endpoint)
        path = quote(f"{parsed.path.rstrip('/')}/{self.bucket}/{key}")
        asked = urlencode(sorted((query or {}).items()), quote_via=quote)
        signed = sign(method, parsed.netloc, path, asked, headers or {}, body, region=self.region)
        kind = HTTPSConnection if parsed.scheme == "https" else HTTPConnection
        connection = kind(parsed.netloc, timeout=_SECONDS)
        try:
            connection.request(method, f"{path}?{asked}" if asked else path, body=body or None, headers=signed)
            said = connection.getresponse()
            return Answer(said.status, {name.lower(): value for name, value in said.getheaders()}, said.read())
        except (OSError, HTTPException) as err:
            raise RepositoryUnreachable(f"{parsed.netloc}: {err}", hint="check the endpoint") from err
        finally:
            connection.close()


def sign(
    method: str, host: str, path: str, query: str, headers: Mapping[str, str], body: bytes, *, region: str
) -> dict[str, str]:
    """Return the headers with a signature over them, the path, the query and the body.

    Args:
        method: For example PUT.
        host: With its port where that is not the usual one.
        path: Quoted.
        query: Quoted, its names in order.
        headers: What is sent besides.
        body: Whole.
        region: Of the bucket.

    Raises:
        RepositoryUnreachable: There are no credentials.
    """
    login, secret, token = _credentials()
    time = clock.now().strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    sent = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": time}
    sent |= {"x-amz-security-token": token} if token else {}
    sent = {name.lower(): value.strip() for name, value in sent.items()}
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{time[:8]}/{region}/{_SERVICE}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for word in (time[:8], region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={login}/{scope}, SignedHeaders={names}, Signature={signature}"
    return sent


def _credentials() -> tuple[str, str, str | None]:
    try:
        login, secret = (Secret.from_reference(f"env:{name}").reveal() for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    except ConfigError as err:
        raise RepositoryUnreachable(err.message, hint="export both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from err
    with suppress(ConfigError):
        return login, secret, Secret.from_reference("env:AWS_SESSION_TOKEN").reveal()
    return login, secret, None
