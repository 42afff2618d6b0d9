"""How far one gets in: each line of pg_hba.conf, each address, each client."""

from ipaddress import ip_network

import pytest

from pgkeel.core.config import SecurityConfig
from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.security.exposure import HbaRule, app_networks, exposure_of, judge_client, judge_rule, unresolved
from pgkeel.testing.servers import scratch_folder
from tests.conftest import MakeCluster

OFFICE = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]


def rule(
    kind: str = "hostssl", address: str | None = "10.1.2.0/24", method: str = "scram-sha-256", **more: str | None
) -> HbaRule:
    return HbaRule(7, kind, ("all",), ("all",), address, more.get("netmask"), method, more.get("error"))


@pytest.mark.parametrize(
    "fine",
    [
        rule(),
        rule(address="10.1.0.0", netmask="255.255.0.0"),
        rule(address="fd00:1::", netmask="ffff:ffff::"),
        rule("local", None),
        rule(address="samehost"),
        rule(address="127.0.0.1", netmask="255.255.255.255"),
        rule("host", "::1/128"),
        rule(address="0.0.0.0/0", method="reject"),
    ],
    ids=str,
)
def test_a_line_within_the_networks_of_the_application_is_fine(fine: HbaRule) -> None:
    assert list(judge_rule(fine, OFFICE)) == []


@pytest.mark.parametrize(
    ("wide", "kinds"),
    [
        (rule(address="0.0.0.0/0"), ["network"]),
        (rule(address="0.0.0.0", netmask="0.0.0.0"), ["network"]),
        (rule(address="all"), ["network"]),
        (rule(address="10.0.0.0/8"), ["network"]),
        (rule(address="::/0"), ["network"]),
        (rule("host"), ["clear"]),
        (rule("host", ".example.com"), ["clear"]),
        (rule("hostnossl", "0.0.0.0/0", "trust"), ["method", "network", "clear"]),
        (rule("local", None, "trust"), ["method"]),
        (rule(method="md5"), ["method"]),
        (rule(error="invalid IP mask"), ["broken"]),
    ],
    ids=str,
)
def test_a_line_that_lets_more_in_is_a_finding(wide: HbaRule, kinds: list[str]) -> None:
    assert [found.kind for found in judge_rule(wide, OFFICE)] == kinds


@pytest.mark.parametrize(
    ("line", "is_told"),
    [
        (rule(address="samenet"), True),
        (rule(address=".example.com"), True),
        (rule(address="db.example.com"), True),
        (rule(address="samehost"), False),
        (rule(address="samenet", method="reject"), False),
        (rule("local", None), False),
        (rule(), False),
    ],
    ids=str,
)
def test_whom_a_name_or_the_servers_own_networks_let_in_is_not_called_fine(line: HbaRule, is_told: bool) -> None:
    assert bool(list(unresolved(line))) == is_told


def test_a_line_of_an_included_file_is_named_with_its_file(make_cluster: MakeCluster) -> None:
    with scratch_folder() as folder:
        included = folder / "more.conf"
        included.write_text("# the team's\nhost all all 192.0.2.0/24 scram-sha-256\nhost all all samenet scram-sha-256\n")
        included.chmod(0o644)
        lines = ("local all all scram-sha-256", f"include {included}")
        with make_cluster(access=lines) as cluster, connect(cluster.superuser_url()) as connection:
            found = exposure_of(connection, app_networks(SecurityConfig()))

    assert {one.subject for one in found.findings} == {
        f"{included}, line 2: host all all 192.0.2.0",
        f"{included}, line 3: host all all samenet",
    }
    assert [one.what for one in found.not_evaluated] == [f"{included}, line 3: host all all samenet"]


def test_somebody_from_elsewhere_is_a_finding_that_names_them() -> None:
    (found,) = judge_client("203.0.113.9", "app", OFFICE)

    assert found.subject == "app from 203.0.113.9"
    assert list(judge_client("10.1.9.9", "app", OFFICE)) == []
    assert list(judge_client("127.0.0.1", "the agent on this machine", OFFICE)) == []


@pytest.mark.parametrize("written", ["0.0.0.0/0", "::/0", "0.0.0.0/1 128.0.0.0/1", "10.1.2.3/16", "everybody"])
def test_the_whole_internet_and_nonsense_are_refused_as_networks(written: str) -> None:
    with pytest.raises(ConfigError, match=r"security\.app_networks"):
        app_networks(SecurityConfig(app_networks=tuple(written.split())))


def test_a_server_as_we_start_it_lets_nobody_in_from_elsewhere(superuser: Url) -> None:
    with connect(superuser) as connection:
        found = exposure_of(connection, app_networks(SecurityConfig()))

    assert [one for one in found.findings if one.kind != "clear"] == []
    assert found.not_evaluated == ()


def test_a_server_that_trusts_the_world_is_found_out(make_cluster: MakeCluster) -> None:
    lines = ("local all all scram-sha-256", "host all all 0.0.0.0/0 trust")
    with make_cluster(access=lines) as cluster, connect(cluster.superuser_url()) as connection:
        found = exposure_of(connection, app_networks(SecurityConfig()))

    assert {one.kind for one in found.findings} == {"method", "network", "clear"}
    assert all("line " in one.subject for one in found.findings)


def test_what_a_login_may_not_see_is_not_called_fine(empty_db: Url) -> None:
    with connect(empty_db) as superuser:
        superuser.execute("CREATE ROLE nobody_much LOGIN")
        try:
            superuser.execute("SET SESSION AUTHORIZATION nobody_much")
            found = exposure_of(superuser, app_networks(SecurityConfig()))
        finally:
            superuser.execute("RESET SESSION AUTHORIZATION")
            superuser.execute("DROP ROLE nobody_much")

    (skipped,) = found.not_evaluated
    assert skipped.what == "pg_hba.conf"
    assert "permission denied" in skipped.reason
