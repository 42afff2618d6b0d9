import os

import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.local import choose_account
from tests.conftest import RunAs

root_only = pytest.mark.skipif(os.getuid() != 0, reason="root alone has a choice")


@root_only
def test_root_never_runs_the_servers_itself() -> None:
    account = choose_account()

    assert account.uid != 0
    assert account.name in {"postgres", "nobody"}
    assert not account.is_current


@root_only
def test_nobody_is_a_choice_that_status_has_to_repeat() -> None:
    assert "nobody" in choose_account("nobody").warning


@root_only
@pytest.mark.parametrize("name", ["root", "no-such-account"])
def test_an_account_that_cannot_run_the_servers_is_a_configuration_error(name: str) -> None:
    with pytest.raises(ConfigError, match=name) as error:
        choose_account(name)

    assert "useradd" in error.value.hint


def test_an_ordinary_user_runs_the_servers_itself_and_cannot_name_another(run_as: RunAs) -> None:
    code = (
        "from pgkeel.local import choose_account\n"
        "print(choose_account().name, choose_account().is_current)\n"
        "try: choose_account('postgres')\n"
        "except Exception as err: print(err.exit_code, err.message)"
    )

    answer = run_as("nobody", code)

    assert answer.stdout.splitlines() == ["nobody True", "2 local.run_as is postgres, but pgkeel runs as nobody"], answer.stderr
