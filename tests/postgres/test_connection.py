"""The connection of operations: what goes wrong is said, and nothing secret with it."""

import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url
from pgkeel.postgres import connect


@pytest.mark.parametrize("address", ["postgresql://u:Zq7@127.0.0.1:1/d?schema=public", "host=127.0.0.1 port=1 passwrd=Zq7"])
def test_an_option_that_libpq_does_not_know_is_named_and_its_value_is_not(address: str) -> None:
    with pytest.raises(ConfigError, match=r'option "(schema|passwrd)"') as refused:
        connect(Url.parse(address))

    assert "Zq7" not in str(refused.value)
