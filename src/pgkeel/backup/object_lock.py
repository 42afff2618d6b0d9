"""Whether a bucket really refuses to give up what is locked, proved by trying; and until when an object is.

A delete without a version only hides an object of a bucket with versions, and succeeds although it is locked. So the probe
deletes the version, and whoever prunes asks first.
"""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import msgspec

from pgkeel.backup.signing import Answer, Bucketside
from pgkeel.core import clock
from pgkeel.core.ids import random_id

__all__ = ["LockVerdict", "locked_until", "probe_lock"]

_TERM = timedelta(minutes=1)
_REFUSED = 403
_GONE = frozenset({200, 204})
_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_VERSION = re.compile(rb"<Key>([^<]+)</Key>\s*<VersionId>([^<]+)</VersionId>|<VersionId>([^<]+)</VersionId>\s*<Key>([^<]+)</Key>")
_UNTIL = "x-amz-object-lock-retain-until-date"
_HOLD = "x-amz-object-lock-legal-hold"


class LockVerdict(msgspec.Struct, frozen=True):
    """What the probe of a bucket's object lock found.

    Attributes:
        holds: Whether a locked object could not be deleted.
        detail: What happened.
    """

    holds: bool
    detail: str


def probe_lock(bucket: Bucketside, prefix: str) -> LockVerdict:
    """Put a small object that is locked for a minute, and try to delete that version of it: the bucket must refuse.

    What earlier probes left, whose minute is over, goes.

    Args:
        bucket: Whose.
        prefix: Where in it; the probe lies below `PREFIX/lock-probe`.

    Raises:
        RepositoryUnreachable: Nobody answers.
    """
    folder = f"{prefix}/lock-probe/".lstrip("/")
    _sweep(bucket, folder)
    key, content = f"{folder}{random_id().hex}", b"pgkeel tries whether this can be deleted\n"
    lock = {
        "x-amz-object-lock-mode": "COMPLIANCE",
        _UNTIL: (clock.now() + _TERM).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "content-md5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
    }
    put = bucket.ask("PUT", key, headers=lock, body=content)
    version = put.headers.get("x-amz-version-id")
    if put.status not in _GONE:
        return LockVerdict(False, f"it takes no locked object: {_code(put)}")
    if version is None:
        return LockVerdict(False, "it keeps no versions, so nothing in it is locked")
    deleted = bucket.ask("DELETE", key, query={"versionId": version})
    if deleted.status == _REFUSED:
        return LockVerdict(True, f"deleting a locked version is refused: {_code(deleted)}")
    return LockVerdict(False, f"it deleted a version that was locked (answer {deleted.status})")


def locked_until(bucket: Bucketside, key: str) -> datetime | None:
    """Return until when an object may not be deleted, or None where it may.

    One under a legal hold is locked for as long as that is there: the greatest time.

    Raises:
        RepositoryUnreachable: Nobody answers.
    """
    head = bucket.ask("HEAD", key).headers
    if head.get(_HOLD, "").upper() == "ON":
        return datetime.max.replace(tzinfo=UTC)
    until = head.get(_UNTIL)
    if until is None:
        return None
    found = datetime.fromisoformat(until)
    return found if found > clock.now() else None


def _sweep(bucket: Bucketside, folder: str) -> None:
    listed = bucket.ask("GET", query={"versions": "", "prefix": folder}).body
    for match in _VERSION.finditer(listed):
        key, version = (match[1] or match[4]).decode(), (match[2] or match[3]).decode()
        bucket.ask("DELETE", key, query={"versionId": version})  # one that is locked still is refused, and stays


def _code(answer: Answer) -> str:
    found = _CODE.search(answer.body)
    return found[1].decode() if found else f"answer {answer.status}"
