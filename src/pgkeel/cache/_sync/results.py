# Generated from pgkeel/cache/_async/results.py by tools/unasync.py; do not edit.
"""Query results: of a function, or of a statement."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pgkeel.cache._colour.threaded import Call
from pgkeel.cache._sync.reader import Reader
from pgkeel.cache.entry import Shelf
from pgkeel.cache.life import Life
from pgkeel.cache.names import Tag
from pgkeel.cache.sealing import Seals
from pgkeel.cache.touched import keys_of_tags

__all__ = ["Results"]


class Results:
    """Results of one type, each kept under its arguments; `Cache.results` makes these."""

    def __init__(self, reader: Reader, seals: Seals, name: str, kind: Any) -> None:  # noqa: ANN401 - a type form
        """Take what names them, in the cache and in its figures, and their type.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        self._reader = reader
        self._seals = seals
        self._name = name
        self._codec_for = seals.codecs(kind)
        self._tally = reader.tallies.of(name)

    def name(self, given: tuple[object, ...], named: Mapping[str, object] | None = None) -> bytes:
        """Return what the result for these arguments is called.

        Raises:
            UsageError: One is of a type that cannot be told apart for certain.
        """
        return self._reader.names.result(self._name, given, named or {})

    def read(
        self,
        name: bytes,
        wanted: Sequence[Tag | str],
        life: Life,
        load: Call[Any],
        given: tuple[object, ...] = (),
        named: Mapping[str, object] = MappingProxyType({}),
    ) -> Any:  # noqa: ANN401 - of that type
        """Return a result from the cache, else from `load`; then it is kept until a write touches one of its tags.

        Args:
            name: What `name` returned.
            wanted: Its tags.
            life: How long it is kept at most.
            load: Makes it anew; reads the primary, outside of any transaction.
            given: What `load` is called with.
            named: The same, by name.
        """
        names, declared = self._reader.names, self._reader.declared
        heard = declared.now() if declared.columns else declared.heard
        shared = (names.epoch, names.everything, *keys_of_tags(wanted, names, heard.relied))
        codec = self._codec_for(wanted)
        shelf = Shelf(shared, codec, tally=self._tally, only_in=heard.epoch if heard.relied else b"")
        found = self._reader.read(name, shelf, life, load, given, named)
        return self._seals.opened(found, codec)
