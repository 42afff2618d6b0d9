import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import connect, server_of


@pytest.mark.majors
def test_a_server_tells_its_major_and_what_it_can_do(empty_db: Url, major: str) -> None:
    with connect(empty_db) as connection:
        server = server_of(connection)

    assert server.major == int(major)
    assert server.has_wal_summaries == (int(major) >= 17)
    assert not server.in_recovery
