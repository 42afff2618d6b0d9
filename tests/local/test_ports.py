import socket

import pytest

from pgkeel.local import PortBusy
from pgkeel.local.ports import is_free, settle_port
from tests.ports import own_port


def test_a_configured_port_that_is_busy_is_an_error_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortBusy, match=str(port)) as error:
            settle_port(port, 0, setting="local.port")

    assert "local.port" in error.value.hint
    assert error.value.exit_code == 2


def test_a_remembered_port_is_kept_while_it_is_free_and_replaced_when_it_is_not() -> None:
    remembered = own_port()
    assert settle_port(0, remembered, setting="local.port") == remembered

    with socket.create_server(("127.0.0.1", remembered)):
        chosen = settle_port(0, remembered, setting="local.port")

    assert chosen != remembered
    assert is_free(chosen)
