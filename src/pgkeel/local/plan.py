"""What a cluster is started with, and what it remembers between runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import msgspec

from pgkeel.core.secret import Secret
from pgkeel.local.account import Account
from pgkeel.local.runtime import Runtime

__all__ = ["Memory", "Plan", "PlanFields", "TlsFiles"]


class TlsFiles(msgspec.Struct, frozen=True):
    """What the server shows and trusts; copied to where only it reads them, so the originals may stay private.

    Attributes:
        certificate: The server's certificate, PEM.
        key: Its private key, PEM.
        authority: The authority's certificate, PEM; never its key.
    """

    certificate: Path
    key: Path
    authority: Path


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a cluster is started with.

    Attributes:
        directory: Its folder: `data/`, `conf/`, `log/`, `cluster.json`.
        runtime: The programs.
        account: Who owns the data and runs the server.
        superuser_password: Of the bootstrap superuser `postgres`.
        name: `cluster_name`, shown by ps(1).
        port: 0 chooses a free one and remembers it.
        settings: Settings of postgresql.conf, which win over ours except for places and listeners.
        access: Lines of pg_hba.conf; None gives SCRAM everywhere and the superuser on the socket alone.
        tls: Certificate and key; None serves without TLS.
        listens: Whether it listens on 127.0.0.1; a server beside the real one has its socket alone.
    """

    directory: Path
    runtime: Runtime
    account: Account
    superuser_password: Secret
    name: str = "main"
    port: int = 0
    settings: Mapping[str, str] = {}
    access: Sequence[str] | None = None
    tls: TlsFiles | None = None
    listens: bool = True


class PlanFields(TypedDict):
    """The keyword arguments of `Cluster.create`, `open` and `create_standby`: the fields of `Plan` but `directory`."""

    runtime: Runtime
    account: Account
    superuser_password: Secret
    name: NotRequired[str]
    port: NotRequired[int]
    settings: NotRequired[Mapping[str, str]]
    access: NotRequired[Sequence[str] | None]
    tls: NotRequired[TlsFiles | None]
    listens: NotRequired[bool]


class Memory(msgspec.Struct, frozen=True):
    """What `cluster.json` remembers between runs.

    Attributes:
        port: Where it listened last.
        version: What was started last.
    """

    port: int = 0
    version: str = ""
