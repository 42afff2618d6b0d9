"""Who can open what is stored: age identities, which are kept, and their recipients, which seal."""

from collections.abc import Sequence

import pyrage  # type: ignore[import-untyped]

from pgkeel.backup.errors import WrongKey
from pgkeel.core.secret import Secret

__all__ = ["new_identity", "openers_of", "recipient_of", "recipients_from"]


def new_identity() -> Secret:
    """Return a new age identity: what opens objects."""
    return Secret(str(pyrage.x25519.Identity.generate()))


def recipient_of(identity: Secret) -> str:
    """Return the recipient (`age1…`) whose objects the identity opens; of several ones, that of the first.

    Raises:
        WrongKey: It is no age identity.
    """
    return str(openers_of(identity)[0].to_public())


def recipients_from(texts: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    """Return the age recipients.

    Raises:
        WrongKey: There is none, or one is not an age public key.
    """
    if not texts:
        raise WrongKey("there is no recipient to encrypt for", hint="set backup.recipients to one or more age1… keys")
    try:
        return [pyrage.x25519.Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError as err:
        raise WrongKey(f"a recipient is not an age public key: {err}", hint="it begins with age1") from err


def openers_of(identity: Secret) -> list[pyrage.x25519.Identity]:
    """Return what opens objects: one or more identities, a line each; `age-keygen` writes remarks around its own.

    Raises:
        WrongKey: There is none, or something else.
    """
    lines = [line.strip() for line in identity.reveal().splitlines()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise WrongKey("this is no age identity", hint="it begins with AGE-SECRET-KEY-1; more of them stand a line each")
    return found
