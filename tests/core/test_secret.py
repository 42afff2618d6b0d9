"""Values that must never be printed."""

import logging
import pickle
from pathlib import Path

import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.core.log import get_logger
from pgkeel.core.secret import Secret


def test_a_secret_is_printed_by_no_form_of_text() -> None:
    secret = Secret("Zq7")
    assert "Zq7" not in f"{secret} {secret!r} {[secret]}"


def test_a_secret_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps({"password": Secret("Zq7")})


def test_secrets_are_equal_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


def test_generated_secrets_are_long_and_differ() -> None:
    first, second = Secret.generate(), Secret.generate()
    assert first != second
    assert len(first.reveal()) >= 43


def test_a_reference_to_the_environment_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", "x")
    assert Secret.from_reference("env:MY_PASSWORD") == Secret("x")


def test_a_reference_to_a_file_starts_at_the_given_folder_and_keeps_blanks(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" x \n")
    assert Secret.from_reference("file:password", folder=tmp_path) == Secret(" x ")
    assert Secret.from_reference(f"file:{tmp_path}/password") == Secret(" x ")


@pytest.mark.parametrize("reference", ["env:NOT_THERE_AT_ALL", "file:not-there", "file:", "env:", "hunter2", ""])
def test_a_reference_to_nothing_is_an_error_with_a_hint(reference: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Secret.from_reference(reference, folder=tmp_path)
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint


def test_a_logged_field_is_kept_apart_and_a_secret_stays_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        get_logger("pgkeel.test").info("login.made", role="app", password=Secret("Zq7"))
    (record,) = caplog.records
    assert record.getMessage() == "login.made role=app password=Secret(***)"
    assert vars(record)["fields"]["role"] == "app"
