"""Compare a password with what the server keeps of it (RFC 5803), so that an unchanged password is not written again."""

import base64
import hashlib
import hmac
import re

from pgkeel.core.secret import Secret

__all__ = ["is_verifier_of"]

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def is_verifier_of(verifier: str | None, password: Secret) -> bool:
    """Return whether a `pg_authid.rolpassword` belongs to a password; anything but SCRAM-SHA-256 does not.

    Args:
        verifier: `SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`, or None.
        password: ASCII, as `Secret.generate` makes them: SASLprep leaves those alone.
    """
    match = _VERIFIER.fullmatch(verifier or "")
    if match is None:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.reveal().encode(), base64.b64decode(match[2]), int(match[1]))
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return hmac.compare_digest(server_key, base64.b64decode(match[4]))
