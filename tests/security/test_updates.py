"""What is old: compared with a table that has a date and says when it is old itself."""

import re
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.security.releases import KNOWN_ON, NEWEST
from pgkeel.security.updates import Component, judge_updates, openssl_in

LOCK = Path(__file__).parents[2] / "requirements/all.txt"


@pytest.mark.parametrize(
    ("component", "state"),
    [
        (Component("PostgreSQL", "postgres", "17.11"), "current"),
        (Component("PostgreSQL", "postgres", "17.10"), "outdated"),
        (Component("PostgreSQL", "postgres", "17.9"), "outdated"),
        (Component("PostgreSQL", "postgres", "99.1"), "unknown"),
        (Component("OpenSSL", "openssl", "3.5.5"), "outdated"),
        (Component("OpenSSL", "openssl", "3.5.10"), "current"),
        (Component("OpenSSL", "openssl", "3.0.2", is_distributions=True), "unknown"),
        (Component("OpenSSL", "openssl", None), "unknown"),
        (Component("cryptography", "wheel", "41.0.0"), "outdated"),
        (Component("cryptography", "wheel", NEWEST["cryptography"]), "current"),
    ],
    ids=str,
)
def test_each_component_is_current_outdated_or_honestly_unknown(component: Component, state: str) -> None:
    (found,) = judge_updates([component], KNOWN_ON).components

    assert found.state == state
    assert bool(found.fix) == (state != "current")


def test_a_table_older_than_100_days_proves_nothing() -> None:
    current = [Component("PostgreSQL", "postgres", "17.11")]

    assert judge_updates(current, KNOWN_ON + timedelta(days=100)).is_fine
    assert not judge_updates(current, KNOWN_ON + timedelta(days=101)).is_fine


def test_the_table_is_what_this_release_was_locked_with() -> None:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))

    assert {name: pinned[name] for name in NEWEST} == NEWEST


def test_the_version_is_read_from_the_library_itself() -> None:
    assert openssl_in(b"\0\0OpenSSL 3.5.9 29 Sep 2026\0") == "3.5.9"
    assert openssl_in(ssl.OPENSSL_VERSION.encode()) is not None
    assert openssl_in(b"LibreSSL 3.9.2") is None
