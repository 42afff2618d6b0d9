import pytest

from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError

SECRET = "s/e?c#r@e:t"
QUOTED = "s%2Fe%3Fc%23r%40e%3At"


@pytest.mark.parametrize(
    "text",
    [
        f"redis://ada:{QUOTED}@cache.example:6380/3",
        f"rediss://ada:{QUOTED}@[::1]:6380/0?authority=/etc/ca.crt",
        f"unix://ada:{QUOTED}@/run/valkey.sock?db=2",
    ],
)
def test_an_address_prints_without_its_password_and_reveals_itself_whole(text: str) -> None:
    url = CacheUrl.parse(text)
    assert url.password is not None
    assert url.password.reveal() == SECRET
    assert QUOTED not in f"{url} {url!r}"
    assert SECRET not in f"{url} {url!r}"
    assert url.reveal() == text
    assert CacheUrl.parse(url.reveal()) == url


def test_what_is_not_said_is_the_usual() -> None:
    url = CacheUrl.parse("valkey://")
    assert (url.host, url.port, url.database, url.user, url.password, url.is_tls) == ("127.0.0.1", 6379, 0, "", None, False)
    assert CacheUrl.parse("valkeys://h").is_tls


@pytest.mark.parametrize(
    "text",
    [
        f"http://ada:{SECRET}@h",
        "redis://ada:geheim@geheim@h",
        "redis://ada:gehe/im@h",
        "redis://h:99999",
        "redis://h/geheim",
        "redis://h?geheim=1",
        "redis://h?authority=%ff",
        "unix://",
        "geheim",
    ],
)
def test_a_bad_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CacheUrl.parse(text)
    assert "geheim" not in f"{caught.value.message} {caught.value.hint}"
