import pytest

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.security.roles.scram import is_verifier_of

# RFC 7677, section 3: user "user", password "pencil"
_STORED, _SERVER = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=", "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
VERIFIER = f"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==${_STORED}:{_SERVER}"


def test_a_verifier_belongs_to_the_password_it_was_made_from(superuser: Url) -> None:
    with connect(superuser) as connection:
        verifier = connection.pgconn.encrypt_password(b"pencil", b"user", b"scram-sha-256").decode()

    assert is_verifier_of(verifier, Secret("pencil"))
    assert not is_verifier_of(verifier, Secret("pencil2"))


def test_the_example_of_rfc_7677_is_recognised() -> None:
    assert is_verifier_of(VERIFIER, Secret("pencil"))


@pytest.mark.parametrize("kept", [None, "", "md5c5b2e1e1e1e1e1e1e1e1e1e1e1e1e1e1", "pencil"])
def test_anything_but_a_scram_verifier_is_stale(kept: str | None) -> None:
    assert not is_verifier_of(kept, Secret("pencil"))
