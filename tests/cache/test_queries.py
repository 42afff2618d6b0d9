from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pgkeel.cache import tag
from pgkeel.cache.sync import Cache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.cipher import Sealed
from pgkeel.core.errors import ConfigError, UsageError
from tests.cache.conftest import SECRET, OpenCache, trust


class Posts:
    """A cached query, and how often it asked the database."""

    def __init__(self, cache: Any, *, tags: Any = ("posts",)) -> None:
        self.titles = ["a"]
        self.asked = 0

        async def of(user: int) -> list[str]:
            self.asked += 1
            return list(self.titles)

        self.of = cache.cached(tags=tags, ttl="5m", name="posts")(of)


async def test_a_result_is_kept_for_each_argument(cache: Any) -> None:
    posts = Posts(cache)
    assert [await posts.of(1), await posts.of(1), await posts.of(2)] == [["a"]] * 3
    assert posts.asked == 2


async def test_a_write_of_its_table_is_seen_by_the_next_call(cache: Any) -> None:
    posts = Posts(cache)
    await posts.of(1)
    async with cache.change(tag("posts")):
        posts.titles = ["a", "b"]
    assert [await posts.of(1) for _ in range(2)] == [["a", "b"]] * 2
    assert posts.asked == 2


async def test_a_write_of_one_row_touches_its_tables_tag(cache: Any) -> None:
    class Post(msgspec.Struct):
        id: int

    posts = Posts(cache)
    rows = cache.rows("posts", Post, key=int)
    await posts.of(1)
    for touched in (rows.row(1), rows.every_row()):
        posts.titles = [*posts.titles, "b"]
        async with cache.change(touched):
            pass
        assert await posts.of(1) == posts.titles


async def test_a_write_of_another_value_leaves_the_result(cache: Any) -> None:
    posts = Posts(cache, tags=lambda user: [tag("posts", user_id=user)])
    await posts.of(1)
    async with cache.change(tag("posts", user_id=2)):
        pass
    await posts.of(1)
    assert posts.asked == 1
    async with cache.change(tag("posts", user_id=1)):
        pass
    await posts.of(1)
    assert posts.asked == 2


async def test_nobody_keeps_a_result_until_the_last_writer_of_a_tag_is_done(cache: Any) -> None:
    posts = Posts(cache)
    first, second = cache.change(tag("posts")), cache.change(tag("posts"))
    await first.mark()
    await second.mark()
    await second.release()
    assert [await posts.of(1) for _ in range(2)] == [["a"]] * 2
    assert posts.asked == 2
    await first.release()
    assert [await posts.of(1) for _ in range(2)] == [["a"]] * 2
    assert posts.asked == 3


async def test_a_result_from_before_a_dead_writer_is_never_served_again(open_cache: OpenCache) -> None:
    cache = await open_cache(mark=timedelta(milliseconds=1))
    posts = Posts(cache)
    await posts.of(1)
    await cache.change(tag("posts")).mark()
    posts.titles = ["new"]
    assert await posts.of(1) == ["new"]


async def test_a_tag_that_is_gone_takes_its_results_with_it(cache: Any) -> None:
    posts = Posts(cache)
    await posts.of(1)
    for key in await cache.client.call("KEYS", "{pgkeel}:*"):
        if (await cache.client.call("GET", key))[:1] == b"G":
            await cache.client.call("DEL", key)
    posts.titles = ["new"]
    assert await posts.of(1) == ["new"]


async def test_no_result_is_a_result(cache: Any) -> None:
    asked: list[int] = []

    async def newest(user: int) -> str | None:
        asked.append(user)
        return None if user else "nobody"

    cached = cache.cached(tags=["posts"])(newest)
    assert [await cached(1), await cached(1)] == [None, None]
    assert asked == [1]


async def test_named_arguments_make_a_difference(cache: Any) -> None:
    async def echo(*, page: int = 0, size: int = 0) -> list[int]:
        return [page, size]

    cached = cache.cached(tags=["posts"])(echo)
    assert [await cached(page=1, size=2), await cached(size=1, page=2), await cached(size=2, page=1)] == [[1, 2], [2, 1], [1, 2]]


def test_a_function_that_does_not_say_what_it_returns_is_refused(valkey_db: Any) -> None:
    def untyped() -> Any:
        return 1

    del untyped.__annotations__["return"]
    with pytest.raises(UsageError, match="return"):
        Cache(valkey_db, secret=SECRET).cached(tags=["posts"])(untyped)


async def test_an_argument_that_cannot_be_named_is_refused(cache: Any) -> None:
    posts = Posts(cache)
    with pytest.raises(UsageError, match="cache key"):
        await posts.of(object())


class Rot:
    """A cipher that shows in a test whether it was used."""

    def field(self, table: str, column: str, /) -> "Rot":
        assert (table, column) == ("pgkeel.cache", "value")
        return self

    def seal(self, row: object, clear: bytes, /) -> bytes:  # noqa: ARG002 - the Protocol
        return bytes(255 - byte for byte in clear)

    def open(self, row: object, sealed: bytes, /) -> bytes:
        return self.seal(row, sealed)


async def test_results_from_a_table_with_encrypted_columns_are_sealed_whole(open_cache: OpenCache) -> None:
    cache = await open_cache(cipher=Rot(), sealed=["users"])
    for table, is_sealed in (("users", True), ("posts", False)):
        posts = Posts(cache, tags=[table])
        posts.titles = ["a clear text"]
        assert [await posts.of(1), await posts.of(1)] == [["a clear text"]] * 2
        assert posts.asked == 1
        held = [await cache.client.call("GET", key) for key in await cache.client.call("KEYS", "*")]
        assert any(b"a clear text" in (raw or b"") for raw in held) != is_sealed
        await cache.client.call("FLUSHDB")
        await cache.client.close()
        await cache.client.open()
        await trust(cache)


async def test_results_that_are_to_be_sealed_are_not_kept_clear_for_want_of_a_cipher(open_cache: OpenCache) -> None:
    posts = Posts(await open_cache(sealed=["posts"]))
    with pytest.raises(ConfigError, match="nothing to seal them with"):
        await posts.of(1)


@pytest.mark.parametrize("tags", ["posts", tag("posts"), lambda _: "posts", lambda user: tag("posts", user_id=user)])
async def test_one_tag_may_stand_alone(cache: Any, tags: Any) -> None:
    posts = Posts(cache, tags=tags)
    await posts.of(1)
    async with cache.change(tag("posts", user_id=1)):
        posts.titles = ["b"]
    async with cache.change(tag("posts")):
        pass
    assert await posts.of(1) == ["b"]


async def test_tags_that_may_be_read_once_are_kept_for_every_call(cache: Any) -> None:
    posts = Posts(cache, tags=(table for table in ("posts",)))
    for title in "abc":
        async with cache.change(tag("posts")):
            posts.titles = [title]
        assert await posts.of(1) == [title]


@pytest.mark.parametrize("tags", [[], (), [None], [b"posts"]], ids=repr)
async def test_a_result_that_no_write_would_end_is_refused(cache: Any, tags: Any) -> None:
    with pytest.raises(UsageError, match="tag"):
        Posts(cache, tags=tags)
    with pytest.raises(UsageError, match="tag"):
        await Posts(cache, tags=lambda _user: tags).of(1)


async def test_a_secret_in_clear_and_no_address_are_refused_and_not_repeated(valkey_db: CacheUrl) -> None:
    clear: Any = "a text of more than sixteen letters"
    with pytest.raises(ConfigError, match="is no Secret") as caught:
        Cache(valkey_db, secret=clear)
    assert clear not in f"{caught.value} {caught.value.hint}"
    nowhere: Any = None
    with pytest.raises(ConfigError, match="cache URL"):
        Cache(nowhere, secret=SECRET)


async def test_an_outage_has_two_names(valkey_db: CacheUrl) -> None:
    wrong: Any = "half"
    with pytest.raises(ConfigError, match="half"):
        Cache(valkey_db, secret=SECRET, on_outage=wrong)


async def test_a_sealed_field_stays_sealed_in_the_cache(cache: Any) -> None:
    class Person(msgspec.Struct, frozen=True):
        id: int
        email: Sealed

    rows = cache.rows("people", Person, key=int)

    async def load(key: int) -> Person:
        return Person(key, Sealed(b"\x01sealed bytes"))

    read = [await rows.get(1, load) for _ in range(2)]
    assert read == [Person(1, Sealed(b"\x01sealed bytes"))] * 2
    assert cache.figures.hits == 1
