"""The error tree: one exit code a branch, a sentence and a hint each."""

from collections.abc import Iterator

import pytest

from pgkeel.core.errors import ConfigError, KeelError, LockNotObtained, NotFound, Refused, Unreachable, UsageError


def branch(root: type[KeelError]) -> Iterator[type[KeelError]]:
    yield root
    for child in root.__subclasses__():
        yield from branch(child)


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(KeelError, 5), (UsageError, 2), (ConfigError, 2), (NotFound, 2), (Unreachable, 3), (Refused, 4), (LockNotObtained, 4)],
)
def test_every_branch_has_its_exit_code(error: type[KeelError], exit_code: int) -> None:
    assert error.exit_code == exit_code


@pytest.mark.parametrize("error", list(branch(KeelError)))
def test_every_error_explains_itself_by_its_docstring(error: type[KeelError]) -> None:
    assert error.__doc__
    assert str(KeelError.__new__(error)) is not None
    assert error.code.replace("_", "").isalpha()


def test_codes_are_unique() -> None:
    codes = [error.code for error in branch(KeelError) if error.__module__ == KeelError.__module__]
    assert len(set(codes)) == len(codes)


def test_an_error_without_a_message_says_its_docstring() -> None:
    assert str(Refused()) == "Refused for safety; nothing was changed."


def test_an_error_is_one_json_object() -> None:
    error = Unreachable("the database is down", hint="pgkeel up", data={"port": 5432})
    assert error.as_dict() == {
        "code": "unreachable",
        "message": "the database is down",
        "hint": "pgkeel up",
        "data": {"port": 5432},
    }
    assert "data" not in Unreachable().as_dict()
