"""Who can open what is stored: age identities, which are kept, and their recipients, which seal."""

from collections.abc import Sequence

import pyrage  # type: ignore[import-untyped]

from pgkeel.backup.errors import WrongKey
from pgkeel.core.secret import Secret

__all__ = ["new_identity", "opener_of", "recipient_of", "recipients_from"]


def new_identity() -> Secret:
    """Return a new age identity: what opens objects."""
    return Secret(str(pyrage.x25519.Identity.generate()))


def recipient_of(identity: Secret) -> str:
    """Return the recipient (`age1…`) whose objects the identity opens.

    Raises:
        WrongKey: It is no age identity.
    """
    return str(opener_of(identity).to_public())


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


def opener_of(identity: Secret) -> pyrage.x25519.Identity:
    """Return what opens objects.

    Raises:
        WrongKey: It is no age identity.
    """
    try:
        return pyrage.x25519.Identity.from_str(identity.reveal().strip())
    except pyrage.IdentityError:
        raise WrongKey("this is no age identity", hint="it begins with AGE-SECRET-KEY-1") from None
