"""Which results are sealed whole: those that depend on a table with an encrypted column hold what was read from it, opened."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pgkeel.cache.codec import Codec, SealedCodec
from pgkeel.cache.names import Tag
from pgkeel.cache.touched import table_of
from pgkeel.core.cipher import Cipher, FieldCipher
from pgkeel.core.errors import ConfigError

__all__ = ["Bound", "Seals"]

Bound = Callable[[Any, Cipher], Any]
"""Returns a result that came out of a cache with what opens its sealed fields."""


class Seals:
    """Chooses how results are encoded, by their tags."""

    def __init__(self, cipher: Cipher | None, sealed: Iterable[str]) -> None:
        """Take what seals, and tables whose results are sealed whoever is bound."""
        self._cipher = None if cipher is None else _field_of(cipher)
        self._named = frozenset(sealed)
        self._is_encrypted: Callable[[str], bool] = self._named.__contains__
        self._open: Callable[[Any], Any] | None = None

    def take(self, keys: Cipher | None, encrypted: Callable[[str], bool], bound: Bound) -> None:
        """Seal by these keys, unless there is a cipher already, what depends on such tables too; and open sealed fields."""
        if self._cipher is None and keys is not None:
            self._cipher = _field_of(keys)
        if keys is not None:
            self._open = lambda value: bound(value, keys)
        self._is_encrypted = lambda table: table in self._named or encrypted(table)

    def opened(self, value: Any, codec: Codec[Any]) -> Any:  # noqa: ANN401 - what a cached function returns
        """Return a result whose sealed fields open, where there is what opens them."""
        return self._open(value) if codec.has_sealed and self._open is not None else value

    def codecs(self, kind: type[Any]) -> Callable[[Sequence[Tag | str]], Codec[Any]]:
        """Return what encodes results of a type, by their tags.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        clear: Codec[Any] = Codec(kind)
        sealed: list[Codec[Any]] = []

        def choose(wanted: Sequence[Tag | str]) -> Codec[Any]:
            if not any(self._is_encrypted(table_of(one)) for one in wanted):
                return clear
            if self._cipher is not None:
                if not sealed:
                    sealed.append(SealedCodec(kind, self._cipher))
                return sealed[0]
            for table in self._named.intersection(map(table_of, wanted)):
                hint = "give the cache cipher=, or bind it to a Database with keys="
                raise ConfigError(f"results of {table} are sealed, and there is nothing to seal them with", hint=hint)
            return clear

        return choose


def _field_of(cipher: Cipher) -> FieldCipher:
    return cipher.field("pgkeel.cache", "value")
