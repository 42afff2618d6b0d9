"""How far the server can be reached: where it listens, whom `pg_hba.conf` lets in, and who is connected from where.

"No direct database access from the frontend" means here: nobody gets in from outside `[security] app_networks`. What lies between
(a firewall, a security group) cannot be seen from the database, so this judges the server alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TypeVar

import msgspec
import psycopg

from pgkeel.core.config import SecurityConfig
from pgkeel.core.errors import ConfigError
from pgkeel.postgres import Connection, describe, load

__all__ = [
    "Exposure",
    "Finding",
    "HbaRule",
    "NotEvaluated",
    "app_networks",
    "exposure_of",
    "judge_client",
    "judge_rule",
    "unresolved",
]

Network = IPv4Network | IPv6Network
_N = TypeVar("_N", IPv4Network, IPv6Network)

_EVERYWHERE = frozenset({"*", "::", str(IPv4Address(0))})
_WEAK = {
    "trust": "without a password",
    "password": "with a password in clear",
    "md5": "with MD5",
    "ident": "on the client's word",
}
_HERE = frozenset({"samehost", "samenet"})


class HbaRule(msgspec.Struct, frozen=True):
    """A line of `pg_hba.conf`, as `pg_hba_file_rules` shows it; `file` is "" unless it stands in an included one."""

    line: int
    type: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str | None
    netmask: str | None
    method: str | None
    error: str | None = None
    file: str = ""

    def __str__(self) -> str:
        """Return it as one would write it."""
        place = f"{self.file}, line {self.line}" if self.file else f"line {self.line}"
        return f"{place}: {self.type} {','.join(self.databases)} {','.join(self.users)} {self.address or ''}".rstrip()


class Finding(msgspec.Struct, frozen=True):
    """A way in that is wider than declared.

    Attributes:
        kind: `listen`, `network`, `method`, `clear`, `broken` or `client`.
        subject: The setting, line or client.
        problem: What is wrong with it.
        fix: What to do.
    """

    kind: str
    subject: str
    problem: str
    fix: str


class NotEvaluated(msgspec.Struct, frozen=True):
    """A part that this login may not see."""

    what: str
    reason: str


class Exposure(msgspec.Struct, frozen=True):
    """What was found."""

    findings: tuple[Finding, ...]
    not_evaluated: tuple[NotEvaluated, ...] = ()


def app_networks(config: SecurityConfig) -> tuple[Network, ...]:
    """Return the networks from which the application connects.

    Raises:
        ConfigError: One is no network, or it is the whole internet.
    """
    try:
        networks = tuple(ip_network(text) for text in config.app_networks)
    except ValueError as err:
        raise ConfigError(f"security.app_networks: {err}", hint='write networks as "10.1.0.0/16"') from None
    together: tuple[Network, ...] = (
        *collapse_addresses(_of(networks, IPv4Network)),
        *collapse_addresses(_of(networks, IPv6Network)),
    )
    for network in together:
        if network.prefixlen == 0:
            raise ConfigError(
                f"security.app_networks holds {network}: everybody on earth", hint="name the networks of the application"
            )
    return networks


def exposure_of(connection: Connection, networks: Sequence[Network]) -> Exposure:
    """Return every way in that is wider than `networks`, and what could not be looked at.

    Args:
        connection: Superuser, or a login with the grants of `pgkeel_monitor`.
        networks: From where the application connects, as `app_networks` gives them; this machine itself is always inside.
    """
    findings = list(_listening(str(load(__name__, "listen_addresses").scalar(connection) or ""), networks))
    skipped = []
    try:
        with connection.transaction():
            rules = [msgspec.convert(row, HbaRule) for row in load(__name__, "hba_rules").rows(connection)]
    except psycopg.errors.InsufficientPrivilege as err:
        skipped.append(NotEvaluated("pg_hba.conf", describe(err)))
    else:
        findings += [found for rule in rules for found in judge_rule(rule, networks)]
        skipped += [found for rule in rules for found in unresolved(rule)]
    for row in load(__name__, "clients").rows(connection):
        findings += judge_client(str(row["address"]), str(row["login"]), networks)
    return Exposure(tuple(findings), tuple(skipped))


def judge_rule(rule: HbaRule, networks: Sequence[Network]) -> Iterator[Finding]:
    """Yield what is wrong with a line of `pg_hba.conf`."""
    if rule.error is not None:
        yield Finding("broken", str(rule), f"the server cannot read it: {rule.error}", "correct it and reload")
        return
    if rule.method == "reject":
        return
    if rule.method in _WEAK:
        yield Finding("method", str(rule), f"lets people in {_WEAK[rule.method]}", "use scram-sha-256")
    if rule.type == "local":
        return
    network = _network(rule)
    if network is not None and not _is_inside(network, networks):
        fix = "narrow the line, or add the network to security.app_networks"
        yield Finding("network", str(rule), f"lets {network} in, which is outside of security.app_networks", fix)
    if rule.type in {"host", "hostnossl", "hostgssenc"} and not (network is not None and network.is_loopback):
        yield Finding("clear", str(rule), "lets connections in that are not encrypted by TLS", "write hostssl")


def unresolved(rule: HbaRule) -> Iterator[NotEvaluated]:
    """Yield why nobody can tell from here whom a line lets in."""
    if rule.type == "local" or rule.error is not None or rule.method == "reject" or rule.address in {None, "samehost"}:
        return
    if rule.address == "samenet":
        yield NotEvaluated(str(rule), "the server's own networks are not known here: write them as 10.1.0.0/16")
    elif _network(rule) is None:
        yield NotEvaluated(str(rule), "a name server decides whom this name lets in: write the network as 10.1.0.0/16")


def judge_client(address: str, login: str, networks: Sequence[Network]) -> Iterator[Finding]:
    """Yield a finding when somebody is connected from outside the networks."""
    if not _is_inside(ip_network(address), networks):
        fix = "find out who that is; close the way, or add the network to security.app_networks"
        yield Finding("client", f"{login} from {address}", "is connected from outside of security.app_networks", fix)


def _listening(addresses: str, networks: Sequence[Network]) -> Iterator[Finding]:
    everywhere = [one for one in (part.strip() for part in addresses.split(",")) if one in _EVERYWHERE]
    if everywhere and all(network.is_loopback for network in networks):
        problem = "the server listens on every address, but the application connects from this machine alone"
        yield Finding("listen", f"listen_addresses = {addresses}", problem, "set listen_addresses = 'localhost' and restart")
    elif everywhere:
        problem = "the server listens on every address of the machine, those that face the internet included"
        yield Finding("listen", f"listen_addresses = {addresses}", problem, "name the addresses that the application uses")


def _network(rule: HbaRule) -> Network | None:
    """Return whom a line lets in; None for names and for the server's own networks, which this cannot resolve."""
    if rule.address is None or rule.address in _HERE:
        return None
    if rule.address == "all":
        return ip_network("::/0")
    try:
        return ip_network(f"{rule.address}/{_prefix(rule.netmask)}" if rule.netmask else rule.address, strict=False)
    except ValueError:
        return None


def _prefix(netmask: str) -> int:
    """Return how many bits a mask has; `ip_network` takes those of IPv4 only."""
    parts: Iterable[int] = ip_network(netmask).network_address.packed
    return sum(part.bit_count() for part in parts)


def _is_inside(network: Network, networks: Sequence[Network]) -> bool:
    """Return whether a network lies in one of them, or on this machine: that is no way in from anywhere."""
    if network.is_loopback:
        return True
    if isinstance(network, IPv6Network):
        return any(network.subnet_of(one) for one in _of(networks, IPv6Network))
    return any(network.subnet_of(one) for one in _of(networks, IPv4Network))


def _of(networks: Sequence[Network], kind: type[_N]) -> list[_N]:
    return [one for one in networks if isinstance(one, kind)]
