"""The Lua scripts, which the server runs as one step each. A script is sent once; after that by its hash."""

import hashlib
from functools import cache
from importlib import resources

import msgspec

__all__ = ["Script", "script"]


class Script(msgspec.Struct, frozen=True):
    """One script.

    Attributes:
        text: Its source.
        digest: What the server knows it by.
    """

    text: bytes
    digest: bytes


@cache
def script(name: str) -> Script:
    """Return the script in `lua/NAME.lua`, the common beginning behind its first line."""
    folder = resources.files(__package__).joinpath("lua")
    flags, _, body = folder.joinpath(f"{name}.lua").read_text(encoding="utf-8").partition("\n")
    text = f"{flags}\n{folder.joinpath('common.lua').read_text(encoding='utf-8')}{body}".encode()
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
